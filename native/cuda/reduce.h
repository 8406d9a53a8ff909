#pragma once

#include "stream.h"

// Sums in double, in an order that follows from the sizes alone; polydomain/cuda_api.h says what
// each does.
namespace polydomain::cuda {

void dot(Stream* stream, int64_t n, const float* a, const float* b, double* out);
void columnSum(Stream* stream, const float* x, int64_t stride, int64_t rows, int64_t columns,
               float* out);
void sumMiddle(Stream* stream, int64_t outer, int64_t reduced, int64_t inner, double scale,
               const float* x, float* y);

}  // namespace polydomain::cuda
