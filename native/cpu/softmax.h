#pragma once

#include <cstdint>

#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// softmax, or its logarithm, over each row of x [rows, width], width > 0; y may be x.
void softmax(ThreadPool& pool, bool logarithm, const float* x, float* y, int64_t rows,
             int64_t width);

// Gradient of x from that of y and y itself; out may be gradient.
void softmaxGradient(ThreadPool& pool, bool logarithm, const float* gradient, const float* y,
                     float* out, int64_t rows, int64_t width);

}  // namespace polydomain::cpu
