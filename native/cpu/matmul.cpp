#include "matmul.h"

#include "chunks.h"

namespace polydomain::cpu {

void transpose(ThreadPool& pool, const float* x, int64_t rows, int64_t columns, float* y) {
  // Square tiles: both sides stay within a few cache lines.
  constexpr int64_t kTile = 16;
  if (columns == 0) return;
  forChunks(pool, rows, chunkCount(rowsPerChunk(columns), kTile) * kTile,
            [&](int64_t begin, int64_t end) {
              for (int64_t r0 = begin; r0 < end; r0 += kTile) {
                const int64_t r1 = std::min(end, r0 + kTile);
                for (int64_t c0 = 0; c0 < columns; c0 += kTile) {
                  const int64_t c1 = std::min(columns, c0 + kTile);
                  for (int64_t c = c0; c < c1; ++c) {
                    for (int64_t r = r0; r < r1; ++r) y[c * rows + r] = x[r * columns + c];
                  }
                }
              }
            });
}

}  // namespace polydomain::cpu
