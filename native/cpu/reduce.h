#pragma once

#include <cstdint>

#include "polydomain/tensor.h"
#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// Sums accumulate in double: blocks of a size that follows from the shape, then the blocks in
// ascending order, so the bits do not depend on the number of threads.

// y[o, i] = scale * sum over r of x[o, r, i]; 0 where there is nothing to sum.
void sumMiddle(ThreadPool& pool, const float* x, int64_t outer, int64_t reduced, int64_t inner,
               double scale, float* y);

// y[o, i] = max over r of x[o, r, i]; NaN where there is one. reduced > 0.
void maxMiddle(ThreadPool& pool, const float* x, int64_t outer, int64_t reduced, int64_t inner,
               float* y);

// x's gradient of maxMiddle: gradient[o, i] at the first r that holds y[o, i], 0 elsewhere.
void maxMiddleGradient(ThreadPool& pool, const float* gradient, const float* x, const float* y,
                       int64_t outer, int64_t reduced, int64_t inner, float* out);

// out[o, r, i] = scale * x[o, i].
void spreadMiddle(ThreadPool& pool, const float* x, int64_t outer, int64_t reduced, int64_t inner,
                  float scale, float* out);

// Sums `x` over the dimensions along which y's shape broadcasts to x's.
void sumToShape(ThreadPool& pool, const TensorView& x, const TensorView& y);

}  // namespace polydomain::cpu
