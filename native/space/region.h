#pragma once

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

}  // namespace polydomain
