#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gemm.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <vector>

#include "chunks.h"
#include "gemm.h"
#include "hwy/highway.h"

// op(A) read in place: element (row, k) at a + row * rowStride + k * kStride.
#ifndef POLYDOMAIN_GEMM_OPERANDS
#define POLYDOMAIN_GEMM_OPERANDS
namespace polydomain::cpu {
struct LeftOperand {
  const float* data;
  int64_t rowStride, kStride;
};
}  // namespace polydomain::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVector = hn::Vec<FloatTag>;

// Rows of a register tile, two vectors wide: as many accumulators as the registers hold beside the
// operands (32 registers from AVX-512 on, else 16).
#if HWY_TARGET <= HWY_AVX3
constexpr int kTileRows = 14;
#else
constexpr int kTileRows = 6;
#endif

int64_t tileColumns() { return 2 * static_cast<int64_t>(hn::Lanes(FloatTag())); }
int64_t tileRows() { return kTileRows; }

// C tile [rows, 2 vectors] (+)= A rows * packed panel of B over k.
template <int rows>
HWY_INLINE void tile(const LeftOperand& a, const float* panel, int64_t k, bool first, float* c,
                     int64_t ldc) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  FloatVector sum0[rows], sum1[rows];
  HWY_UNROLL(16)
  for (int r = 0; r < rows; ++r) {
    sum0[r] = first ? hn::Zero(d) : hn::LoadU(d, c + r * ldc);
    sum1[r] = first ? hn::Zero(d) : hn::LoadU(d, c + r * ldc + lanes);
  }
  const float* at = a.data;
  for (int64_t i = 0; i < k; ++i) {
    const FloatVector b0 = hn::LoadU(d, panel);
    const FloatVector b1 = hn::LoadU(d, panel + lanes);
    HWY_UNROLL(16)
    for (int r = 0; r < rows; ++r) {
      const FloatVector left = hn::Set(d, at[r * a.rowStride]);
      sum0[r] = hn::MulAdd(left, b0, sum0[r]);
      sum1[r] = hn::MulAdd(left, b1, sum1[r]);
    }
    panel += 2 * lanes;
    at += a.kStride;
  }
  HWY_UNROLL(16)
  for (int r = 0; r < rows; ++r) {
    hn::StoreU(sum0[r], d, c + r * ldc);
    hn::StoreU(sum1[r], d, c + r * ldc + lanes);
  }
}

template <int rows>
HWY_INLINE void tileOf(int wanted, const LeftOperand& a, const float* panel, int64_t k, bool first,
                       float* c, int64_t ldc) {
  if (rows == wanted) return tile<rows>(a, panel, k, first, c, ldc);
  if constexpr (rows > 1) tileOf<rows - 1>(wanted, a, panel, k, first, c, ldc);
}

// C [rows, columns] (+)= A * packed B, one k block.
void multiplyBlock(const LeftOperand& a, const float* packed, int64_t rows, int64_t columns,
                   int64_t k, bool first, float* c, int64_t ldc) {
  const int64_t width = tileColumns();
  HWY_ALIGN float edge[kTileRows * 2 * hn::MaxLanes(FloatTag())];
  for (int64_t column = 0; column < columns; column += width) {
    const float* panel = packed + column * k;
    const int64_t valid = std::min(width, columns - column);
    for (int64_t row = 0; row < rows; row += kTileRows) {
      const auto count = static_cast<int>(std::min<int64_t>(kTileRows, rows - row));
      const LeftOperand left{a.data + row * a.rowStride, a.rowStride, a.kStride};
      float* to = c + row * ldc + column;
      if (valid == width) {
        tileOf<kTileRows>(count, left, panel, k, first, to, ldc);
        continue;
      }
      for (int r = 0; r < count && !first; ++r) {
        std::copy_n(to + r * ldc, valid, edge + r * width);
      }
      tileOf<kTileRows>(count, left, panel, k, first, edge, width);
      for (int r = 0; r < count; ++r) std::copy_n(edge + r * width, valid, to + r * ldc);
    }
  }
}

// One row of the epilogue; uniform is null without dropout.
void finishRow(const GemmEpilogue& epilogue, const float* gate, const float* uniform, int64_t first,
               int64_t count, float* c) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto finish = [&](FloatVector x, FloatVector bias, FloatVector g, FloatVector u) HWY_ATTR {
    if (epilogue.bias != nullptr) x = hn::Add(x, bias);
    // x < 0 ? 0 : x keeps a NaN, which Max would lose.
    if (epilogue.relu) x = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
    if (uniform != nullptr) {
      x = hn::IfThenElseZero(hn::Lt(u, hn::Set(d, epilogue.keep)),
                             hn::Mul(x, hn::Set(d, 1.0f / epilogue.keep)));
    }
    if (gate != nullptr) {
      x = hn::IfThenElseZero(hn::Gt(g, hn::Zero(d)), hn::Mul(x, hn::Set(d, epilogue.gateScale)));
    }
    return x;
  };
  const float* bias = epilogue.bias == nullptr ? nullptr : epilogue.bias + first;
  const auto zero = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(finish(hn::LoadU(d, c + i), bias == nullptr ? zero : hn::LoadU(d, bias + i),
                      gate == nullptr ? zero : hn::LoadU(d, gate + i),
                      uniform == nullptr ? zero : hn::LoadU(d, uniform + i)),
               d, c + i);
  }
  for (; i < count; ++i) {
    float x = c[i];
    if (bias != nullptr) x += bias[i];
    if (epilogue.relu && x < 0.0f) x = 0.0f;
    if (uniform != nullptr) x = uniform[i] < epilogue.keep ? x * (1.0f / epilogue.keep) : 0.0f;
    if (gate != nullptr) x = gate[i] > 0.0f ? x * epilogue.gateScale : 0.0f;
    c[i] = x;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(tileColumns);
HWY_EXPORT(tileRows);
HWY_EXPORT(multiplyBlock);
HWY_EXPORT(finishRow);

namespace {

// A packed block of B stays in the second-level cache.
constexpr int64_t kBlockDepth = 256;
constexpr int64_t kEpilogueColumns = 1024;  // uniforms of dropout at a time
constexpr int64_t kRowChunks = 16;          // enough for any sensible number of threads

// Panel by panel: for each k the panel's `width` columns, zeros beyond the last column.
void packPanel(Transpose transpose, const float* b, int64_t ldb, int64_t column, int64_t columns,
               int64_t width, int64_t k0, int64_t k, float* to) {
  const int64_t valid = std::min(width, columns - column);
  if (valid < width) std::fill_n(to, width * k, 0.0f);
  if (transpose == Transpose::kNo) {
    for (int64_t i = 0; i < k; ++i) {
      std::copy_n(b + (k0 + i) * ldb + column, valid, to + i * width);
    }
    return;
  }
  // Four rows of B at a time fill runs of four in the panel.
  int64_t j = 0;
  for (; j + 4 <= valid; j += 4) {
    const float* from = b + (column + j) * ldb + k0;
    float* out = to + j;
    for (int64_t i = 0; i < k; ++i, out += width) {
      out[0] = from[i];
      out[1] = from[ldb + i];
      out[2] = from[2 * ldb + i];
      out[3] = from[3 * ldb + i];
    }
  }
  for (; j < valid; ++j) {
    const float* from = b + (column + j) * ldb + k0;
    for (int64_t i = 0; i < k; ++i) to[i * width + j] = from[i];
  }
}

void finish(const GemmEpilogue& epilogue, int64_t begin, int64_t end, int64_t n, float* c,
            int64_t ldc) {
  const bool drop = epilogue.keep < 1.0f;
  if (epilogue.bias == nullptr && !epilogue.relu && !drop && epilogue.gate == nullptr) return;
  alignas(64) float uniform[kEpilogueColumns];
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t first = 0; first < n; first += kEpilogueColumns) {
      const int64_t count = std::min(kEpilogueColumns, n - first);
      if (drop) {
        fillUniform(epilogue.dropoutKey, static_cast<uint64_t>(row * n + first), count, 0.0f, 1.0f,
                    uniform);
      }
      const float* gate =
          epilogue.gate == nullptr ? nullptr : epilogue.gate + row * epilogue.gateStride + first;
      HWY_DYNAMIC_DISPATCH(finishRow)
      (epilogue, gate, drop ? uniform : nullptr, first, count, c + row * ldc + first);
    }
  }
}

}  // namespace

void gemm(ThreadPool& pool, Transpose transposeA, Transpose transposeB, int64_t m, int64_t n,
          int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb, float* c,
          int64_t ldc, const GemmEpilogue& epilogue) {
  if (m == 0 || n == 0) return;
  const int64_t width = HWY_DYNAMIC_DISPATCH(tileColumns)();
  const int64_t height = HWY_DYNAMIC_DISPATCH(tileRows)();
  const int64_t panels = chunkCount(n, width);
  const int64_t perChunk = chunkCount(chunkCount(m, kRowChunks), height) * height;
  thread_local std::vector<float> memory;  // kept, so that a step allocates nothing
  std::vector<float>& packed = memory;     // the caller's, in every worker
  packed.resize(static_cast<size_t>(panels * width * std::min(k, kBlockDepth)));
  const auto rowsOf = [&](int64_t row) {
    return transposeA == Transpose::kNo ? LeftOperand{a + row * lda, lda, 1}
                                        : LeftOperand{a + row, 1, lda};
  };
  if (k == 0) {
    for (int64_t row = 0; row < m; ++row) std::fill_n(c + row * ldc, n, 0.0f);
    finish(epilogue, 0, m, n, c, ldc);
    return;
  }
  for (int64_t k0 = 0; k0 < k; k0 += kBlockDepth) {
    const int64_t depth = std::min(kBlockDepth, k - k0);
    const bool last = k0 + depth == k;
    forChunks(pool, panels, std::max<int64_t>(1, kChunkElements / (width * depth)),
              [&](int64_t begin, int64_t end) {
                for (int64_t panel = begin; panel < end; ++panel) {
                  packPanel(transposeB, b, ldb, panel * width, n, width, k0, depth,
                            packed.data() + panel * width * depth);
                }
              });
    // Little work is not worth waking other threads.
    const int64_t rows = m * n * depth < 65536 ? m : perChunk;
    forChunks(pool, m, rows, [&](int64_t begin, int64_t end) {
      LeftOperand left = rowsOf(begin);
      left.data += k0 * left.kStride;
      HWY_DYNAMIC_DISPATCH(multiplyBlock)
      (left, packed.data(), end - begin, n, depth, k0 == 0, c + begin * ldc, ldc);
      if (last) finish(epilogue, begin, end, n, c, ldc);
    });
  }
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
