#pragma once

#include <cstdint>

#include "polydomain/thread_pool.h"

// Batch normalisation (Ioffe and Szegedy 2015) of the columns of matrices [rows, width].
namespace polydomain::cpu {

struct BatchNormShape {
  int64_t rows, width;
  double epsilon;
};

// What columns are normalised by: their mean and biased variance.
struct ColumnMoments {
  const float* mean;
  const float* variance;
};

// y[c] = mean over rows of (x[r, c] - mean[c])^2, summed in double; 0 without rows.
void columnVariance(ThreadPool& pool, const float* x, const float* mean, int64_t rows,
                    int64_t width, float* y);

// y = (x - mean) / sqrt(variance + epsilon) * scale + shift.
void batchNorm(ThreadPool& pool, const BatchNormShape& shape, const float* x, const float* scale,
               const float* shift, const ColumnMoments& moments, float* y);

// sums[c] = sum over rows of g, sums[width + c] = that of g * (x - mean) / sqrt(variance +
// epsilon): the gradients of shift and scale.
void batchNormSums(ThreadPool& pool, const BatchNormShape& shape, const float* g, const float* x,
                   const ColumnMoments& moments, float* sums);

// The gradient of x when `moments` are those of x itself.
void batchNormGradient(ThreadPool& pool, const BatchNormShape& shape, const float* g,
                       const float* x, const float* scale, const ColumnMoments& moments,
                       const float* sums, float* out);

}  // namespace polydomain::cpu
