#pragma once

#include <cstdint>

#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// y [columns, rows] = transpose of x [rows, columns]; products themselves are in gemm.h.
void transpose(ThreadPool& pool, const float* x, int64_t rows, int64_t columns, float* y);

// The same by the calling thread, with row strides ldx and ldy.
void transposeBlock(const float* x, int64_t ldx, int64_t rows, int64_t columns, float* y,
                    int64_t ldy);

}  // namespace polydomain::cpu
