#pragma once

#include <cstdint>

namespace polydomain::cpu {

// Products whose left factor has many zeros, as the outputs of relu and dropout have, and the
// gradients that pass them: a row of A reads only the rows of B that its other elements multiply.
// Tiles of several rows, which read B once for all of them, cannot do that, so it pays from some
// 40% of zeros on.

// Columns of a packed panel of B; the last panel may have fewer.
int64_t skippingPanelColumns();

// Whether it pays for a [rows, columns] with row stride lda, some of whose rows are looked at.
bool hasManyZeros(const float* a, int64_t rows, int64_t columns, int64_t lda);

// C [rows, columns] = (first ? 0 : C) + A * B for one block of k. Element (row, i) of A stands at
// a + row * rowStride + i * kStride, one of which is 1. `packed`, on a cache line, has B's panels
// one after another, k rows of whole vectors each. Every element is the chain of multiply-adds that
// a product without skipping makes, as 0 * b + c is c for every finite b.
void multiplySkippingZeros(const float* a, int64_t rowStride, int64_t kStride, const float* packed,
                           int64_t rows, int64_t columns, int64_t k, bool first, float* c,
                           int64_t ldc);

}  // namespace polydomain::cpu
