#pragma once

#include <cstdint>
#include <vector>

#include "polydomain/random.h"

namespace polydomain {

// Normal numbers of a sequence named by `step`.
inline std::vector<float> randomValues(int64_t count, uint64_t step) {
  std::vector<float> values(static_cast<size_t>(count));
  fillNormal({1, 2, step}, 0, count, 0.0f, 1.5f, values.data());
  return values;
}

}  // namespace polydomain
