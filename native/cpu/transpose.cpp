#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transpose.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>

#include "chunks.h"
#include "transpose-inl.h"
#include "transpose.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

// y [columns, rows] = transpose of x [rows, columns].
void transposeBlock(const float* x, int64_t ldx, int64_t rows, int64_t columns, float* y,
                    int64_t ldy) {
  int64_t done = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr int64_t kLineElements = 16;
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; done + lanes <= rows; done += lanes) {
    int64_t column = 0;
    for (; column + 4 <= columns; column += 4) {
      // Rows lie far from each other: what comes next is asked for, a cache line of each.
      if (column % kLineElements == 0) {
        for (int64_t r = done + lanes; r < std::min(rows, done + 2 * lanes); ++r) {
          __builtin_prefetch(x + r * ldx + column);
        }
      }
      const auto four = fourColumns(d, x + done * ldx + column, ldx);
      for (int j = 0; j < 4; ++j) hn::StoreU(four.of[j], d, y + (column + j) * ldy + done);
    }
    for (; column < columns; ++column) {
      for (int64_t r = done; r < done + lanes; ++r) y[column * ldy + r] = x[r * ldx + column];
    }
  }
#endif
  for (; done < rows; ++done) {
    for (int64_t column = 0; column < columns; ++column) {
      y[column * ldy + done] = x[done * ldx + column];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(transposeBlock);

void transposeBlock(const float* x, int64_t ldx, int64_t rows, int64_t columns, float* y,
                    int64_t ldy) {
  HWY_DYNAMIC_DISPATCH(transposeBlock)(x, ldx, rows, columns, y, ldy);
}

void transpose(ThreadPool& pool, const float* x, int64_t rows, int64_t columns, float* y) {
  constexpr int64_t kTogether = 16;  // whole cache lines of y
  if (columns == 0) return;
  forChunks(pool, rows, chunkCount(rowsPerChunk(columns), kTogether) * kTogether,
            [&](int64_t begin, int64_t end) {
              transposeBlock(x + begin * columns, columns, end - begin, columns, y + begin, rows);
            });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
