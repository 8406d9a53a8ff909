#pragma once

#include <cstdint>

#include "polydomain/random.h"
#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

enum class Transpose { kNo, kYes };

// Products are summed over blocks of so many k (see gemm).
inline constexpr int64_t kGemmBlockDepth = 256;

// What happens to an element of the product on its way to memory, in this order.
struct GemmEpilogue {
  // [n], added to every row; with `biasRow` [.., n], its row biasRow[row] added to row `row`.
  const float* bias = nullptr;
  const int32_t* biasRow = nullptr;
  bool relu = false;
  // Dropout with keep probability `keep` (1 = off): element (row, column) is kept, and scaled by
  // 1 / keep, where uniform(dropoutKey, row * n + column) < keep.
  float keep = 1.0f;
  RandomKey dropoutKey;
  // Backward of relu + dropout of the layer below, whose stored output `gate` [m, n] is positive
  // exactly where the gradient passes: c = gate > 0 ? value * gateScale : 0.
  const float* gate = nullptr;
  int64_t gateStride = 0;
  float gateScale = 1.0f;
};

// C[m, n] = op(A) op(B), row-major float32 with row strides lda, ldb, ldc (elements).
// op(A) is [m, k]: A is stored [m, k] (kNo) or [k, m] (kYes); op(B) is [k, n]: B is stored [k, n]
// (kNo) or [n, k] (kYes).
// Every element is the sum, in ascending order of k, of chains of fused multiply-adds over a fixed
// block of k each: its bits depend on its row of op(A), its column of op(B) and k alone, not on m,
// n, the tile it falls in, or the number of threads. With `skipZeros` a zero of op(A) may be taken
// not to be there, also where it meets an infinity or a NaN of op(B); other bits stay the same.
void gemm(ThreadPool& pool, Transpose transposeA, Transpose transposeB, int64_t m, int64_t n,
          int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb, float* c,
          int64_t ldc, const GemmEpilogue& epilogue = {}, bool skipZeros = false);

}  // namespace polydomain::cpu
