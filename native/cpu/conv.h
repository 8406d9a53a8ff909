#pragma once

#include <cstdint>

#include "polydomain/thread_pool.h"

// Convolution over one axis with zero padding, stride 1 and an output as long as the input:
// y[r, o, l, c] = sum over i and t of w[o, i, t] x[r, i, l + t - (width - 1) / 2, c],
// x being [rows, in, length, inner] and w [out, in, width]. The padding of an even width is one
// longer behind than in front, as in PyTorch and TensorFlow ("same").
namespace polydomain::cpu {

struct Conv1dShape {
  int64_t rows, in, out, width, length, inner;
};

void conv1d(ThreadPool& pool, const Conv1dShape& shape, const float* x, const float* weight,
            float* y);

// Gradient of x from that of y, g.
void conv1dInputGradient(ThreadPool& pool, const Conv1dShape& shape, const float* g,
                         const float* weight, float* out);

// Gradient of the weight, summed over blocks of rows in double.
void conv1dWeightGradient(ThreadPool& pool, const Conv1dShape& shape, const float* g,
                          const float* x, float* out);

}  // namespace polydomain::cpu
