#pragma once

#include <cstdint>

#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// y [columns, rows] = transpose of x [rows, columns]; products themselves are in gemm.h.
void transpose(ThreadPool& pool, const float* x, int64_t rows, int64_t columns, float* y);

}  // namespace polydomain::cpu
