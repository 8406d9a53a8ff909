#include "concat.h"

#include <cstring>

namespace polydomain::cpu {

void copyBlock(const float* from, int64_t fromStride, float* to, int64_t toStride, int64_t rows,
               int64_t width) {
  if (width == 0) return;
  const size_t bytes = static_cast<size_t>(width) * sizeof(float);
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(to + r * toStride, from + r * fromStride, bytes);
  }
}

void clearBlock(float* to, int64_t toStride, int64_t rows, int64_t width) {
  if (width == 0) return;
  const size_t bytes = static_cast<size_t>(width) * sizeof(float);
  for (int64_t r = 0; r < rows; ++r) std::memset(to + r * toStride, 0, bytes);
}

}  // namespace polydomain::cpu
