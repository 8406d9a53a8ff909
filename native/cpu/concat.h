#pragma once

#include <cstdint>

namespace polydomain::cpu {

// Copies a [rows, width] block between buffers whose rows lie `fromStride` and `toStride`
// elements apart.
void copyBlock(const float* from, int64_t fromStride, float* to, int64_t toStride, int64_t rows,
               int64_t width);

// Zeroes a [rows, width] block.
void clearBlock(float* to, int64_t toStride, int64_t rows, int64_t width);

}  // namespace polydomain::cpu
