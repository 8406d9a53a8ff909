#pragma once

#include "grid.h"

namespace polydomain::cuda {

// Neither branch overflows.
POLYDOMAIN_DEVICE float sigmoidOf(float x) {
  const float e = std::exp(-std::abs(x));
  return (x >= 0.0f ? 1.0f : e) / (1.0f + e);
}

}  // namespace polydomain::cuda
