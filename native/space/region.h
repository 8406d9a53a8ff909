#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "polydomain/tensor.h"

namespace polydomain {

// An array of units of one size.
struct Region {
  int64_t units = 0;
  int64_t unitSize = 0;
  int table = -1;  // its parameter; -1: the dense slab
  std::shared_ptr<Storage> memory;
  float* data() const { return static_cast<float*>(memory->data()); }
  float* unit(uint32_t index) const { return data() + index * unitSize; }
};

// Units are asked for so many ahead of their use where they lie in no order, which is more than the
// processor sees by itself.
inline int64_t unitsAhead(int64_t unitSize) { return std::clamp<int64_t>(1024 / unitSize, 2, 16); }
inline void prefetchUnit(const float* values, int64_t unitSize) {
  constexpr int64_t kLine = 16, kMost = 16 * kLine;
  for (int64_t i = 0; i < std::min(unitSize, kMost); i += kLine) {
    __builtin_prefetch(values + i, /*rw=*/1);
  }
}

}  // namespace polydomain
