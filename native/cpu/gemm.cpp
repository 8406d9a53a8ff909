#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gemm.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <array>
#include <vector>

#include "chunks.h"
#include "gemm.h"
#include "hwy/highway.h"
#include "scratch.h"
#include "skip_zeros.h"
#include "transpose-inl.h"
#include "transpose.h"

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
using FloatTag = hn::ScalableTag<float>;
using FloatVector = hn::Vec<FloatTag>;

// Rows of a register tile, two vectors wide: as many accumulators as the registers hold beside the
// operands (32 registers from AVX-512 on, else 16).
#if HWY_TARGET <= HWY_AVX3
constexpr int kTileRows = 14;
#else
constexpr int kTileRows = 6;
#endif

int64_t vectorColumns() { return static_cast<int64_t>(hn::Lanes(FloatTag())); }
int64_t tileRows() { return kTileRows; }

// Columns of op(B), a vector or two: those of k at data + k * stride.
struct Panel {
  const float* data;
  int64_t stride;
};

// C tile [rows, `vectors` vectors] = (first ? 0 : C) + A rows * panel over k.
template <int rows, int vectors>
HWY_INLINE void tile(const LeftOperand& a, const Panel& panel, int64_t k, bool first, float* c,
                     int64_t ldc) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  FloatVector sum[rows][vectors];
  HWY_UNROLL(16)
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) sum[r][v] = hn::Zero(d);
  }
  const float* at = a.data;
  const float* b = panel.data;
  for (int64_t i = 0; i < k; ++i) {
    FloatVector right[vectors];
    for (int v = 0; v < vectors; ++v) right[v] = hn::LoadU(d, b + v * lanes);
    HWY_UNROLL(16)
    for (int r = 0; r < rows; ++r) {
      const FloatVector left = hn::Set(d, at[r * a.rowStride]);
      for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
    }
    b += panel.stride;
    at += a.kStride;
  }
  HWY_UNROLL(16)
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      float* to = c + r * ldc + v * lanes;
      hn::StoreU(first ? sum[r][v] : hn::Add(hn::LoadU(d, to), sum[r][v]), d, to);
    }
  }
}

template <int rows, int vectors>
HWY_INLINE void tileOf(int wanted, const LeftOperand& a, const Panel& panel, int64_t k, bool first,
                       float* c, int64_t ldc) {
  if (rows == wanted) return tile<rows, vectors>(a, panel, k, first, c, ldc);
  if constexpr (rows > 1) tileOf<rows - 1, vectors>(wanted, a, panel, k, first, c, ldc);
}

// C [rows, vectors wide] of one panel; the columns from `valid` on are not C's.
template <int vectors>
void multiplyPanel(const LeftOperand& a, const Panel& panel, int64_t rows, int64_t valid, int64_t k,
                   bool first, float* c, int64_t ldc) {
  constexpr int64_t kWidest = vectors * hn::MaxLanes(FloatTag());
  const int64_t width = vectors * static_cast<int64_t>(hn::Lanes(FloatTag()));
  HWY_ALIGN float edge[kTileRows * kWidest];
  // Tiles of nearly the same height: a low one at the end would wait for its own sums.
  const int64_t height = chunkCount(rows, chunkCount(rows, kTileRows));
  for (int64_t row = 0; row < rows; row += height) {
    const auto count = static_cast<int>(std::min(height, rows - row));
    const LeftOperand left{a.data + row * a.rowStride, a.rowStride, a.kStride};
    float* to = c + row * ldc;
    if (valid == width) {
      tileOf<kTileRows, vectors>(count, left, panel, k, first, to, ldc);
      continue;
    }
    for (int r = 0; r < count && !first; ++r) {
      std::copy_n(to + r * ldc, valid, edge + r * width);
    }
    tileOf<kTileRows, vectors>(count, left, panel, k, first, edge, width);
    for (int r = 0; r < count; ++r) std::copy_n(edge + r * width, valid, to + r * ldc);
  }
}

// C [rows, columns] (+)= A * B, one k block. B's panels lie one after another, `packed`, or whole
// vectors of them where B itself is, `stride` apart.
void multiplyBlock(const LeftOperand& a, const float* b, int64_t stride, int64_t rows,
                   int64_t columns, int64_t k, bool first, float* c, int64_t ldc) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  for (int64_t column = 0; column < columns; column += 2 * lanes) {
    const int64_t valid = std::min(2 * lanes, columns - column);
    const int64_t width = valid > lanes ? 2 * lanes : lanes;
    const Panel panel = stride == 0 ? Panel{b + column * k, width} : Panel{b + column, stride};
    if (width > lanes) {
      multiplyPanel<2>(a, panel, rows, valid, k, first, c + column, ldc);
    } else {
      multiplyPanel<1>(a, panel, rows, valid, k, first, c + column, ldc);
    }
  }
}

#if HWY_TARGET != HWY_SCALAR

// C [groups * lanes] = (first ? 0 : C) + one row of A * transpose of B [groups * lanes, k].
template <int groups, class D>
HWY_INLINE void rowTimes(D d, const LeftOperand& a, const float* b, int64_t ldb, int64_t k,
                         bool first, float* c) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<D> sum[groups];
  for (int g = 0; g < groups; ++g) sum[g] = hn::Zero(d);
  int64_t i = 0;
  for (; i + 4 <= k; i += 4) {
    for (int g = 0; g < groups; ++g) {
      const Columns<D> columns = fourColumns(d, b + g * lanes * ldb + i, ldb);
      for (int j = 0; j < 4; ++j) {
        sum[g] = hn::MulAdd(hn::Set(d, a.data[(i + j) * a.kStride]), columns.of[j], sum[g]);
      }
    }
  }
  HWY_ALIGN float column[hn::MaxLanes(D())];
  for (; i < k; ++i) {
    for (int g = 0; g < groups; ++g) {
      for (int64_t j = 0; j < lanes; ++j) column[j] = b[(g * lanes + j) * ldb + i];
      sum[g] = hn::MulAdd(hn::Set(d, a.data[i * a.kStride]), hn::Load(d, column), sum[g]);
    }
  }
  for (int g = 0; g < groups; ++g) {
    float* to = c + g * lanes;
    hn::StoreU(first ? sum[g] : hn::Add(hn::LoadU(d, to), sum[g]), d, to);
  }
}

#endif

// C [columns] (+)= one row of A * transpose of B, one k block of B [columns, k] where it lies.
// Every element is the chain over k that tile() makes.
void multiplyRow(const LeftOperand& a, const float* b, int64_t ldb, int64_t columns, int64_t k,
                 bool first, float* c) {
  int64_t n = 0;
#if HWY_TARGET != HWY_SCALAR
  // Eight lanes at most: processors have more ports for shuffles of them than for wider ones.
  const hn::CappedTag<float, 8> d;
  const hn::CappedTag<float, 4> four;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; n + 2 * lanes <= columns; n += 2 * lanes) {
    rowTimes<2>(d, a, b + n * ldb, ldb, k, first, c + n);
  }
  for (; n + lanes <= columns; n += lanes) rowTimes<1>(d, a, b + n * ldb, ldb, k, first, c + n);
  for (; n + 4 <= columns; n += 4) rowTimes<1>(four, a, b + n * ldb, ldb, k, first, c + n);
#endif
  const hn::CappedTag<float, 1> one;
  for (; n < columns; ++n) {
    auto sum = hn::Zero(one);
    for (int64_t i = 0; i < k; ++i) {
      sum = hn::MulAdd(hn::Set(one, a.data[i * a.kStride]), hn::Set(one, b[n * ldb + i]), sum);
    }
    c[n] = first ? hn::GetLane(sum) : c[n] + hn::GetLane(sum);
  }
}

// One row of the epilogue; bias, gate and bits are null where there is none.
HWY_INLINE void finishRow(const GemmEpilogue& epilogue, const float* bias, const float* gate,
                          const uint32_t* bits, uint32_t kept, int64_t count, float* c) {
  const FloatTag d;
  const hn::RebindToUnsigned<FloatTag> du;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto finish = [&](FloatVector x, FloatVector b, FloatVector g,
                          hn::Vec<decltype(du)> u) HWY_ATTR {
    if (bias != nullptr) x = hn::Add(x, b);
    // x < 0 ? 0 : x keeps a NaN, which Max would lose.
    if (epilogue.relu) x = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
    if (bits != nullptr) {
      x = hn::IfThenElseZero(hn::RebindMask(d, hn::Lt(u, hn::Set(du, kept))),
                             hn::Mul(x, hn::Set(d, 1.0f / epilogue.keep)));
    }
    if (gate != nullptr) {
      x = hn::IfThenElseZero(hn::Gt(g, hn::Zero(d)), hn::Mul(x, hn::Set(d, epilogue.gateScale)));
    }
    return x;
  };
  const auto zero = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(finish(hn::LoadU(d, c + i), bias == nullptr ? zero : hn::LoadU(d, bias + i),
                      gate == nullptr ? zero : hn::LoadU(d, gate + i),
                      bits == nullptr ? hn::Zero(du) : hn::LoadU(du, bits + i)),
               d, c + i);
  }
  for (; i < count; ++i) {
    float x = c[i];
    if (bias != nullptr) x += bias[i];
    if (epilogue.relu && x < 0.0f) x = 0.0f;
    if (bits != nullptr) x = bits[i] < kept ? x * (1.0f / epilogue.keep) : 0.0f;
    if (gate != nullptr) x = gate[i] > 0.0f ? x * epilogue.gateScale : 0.0f;
    c[i] = x;
  }
}

// Columns [first, first + count) of the rows [begin, end) of C [.., n]. The random bits, null
// without dropout, are these rows' one after another.
void finishRows(const GemmEpilogue& epilogue, int64_t begin, int64_t end, int64_t n, int64_t first,
                int64_t count, const uint32_t* bits, float* c, int64_t ldc) {
  const uint32_t kept = bits == nullptr ? 0 : bitsBelow(epilogue.keep);
  for (int64_t row = begin; row < end; ++row) {
    const float *bias = nullptr, *gate = nullptr;
    if (epilogue.bias != nullptr) {
      bias = epilogue.bias + (epilogue.biasRow == nullptr ? 0 : epilogue.biasRow[row]) * n + first;
    }
    if (epilogue.gate != nullptr) gate = epilogue.gate + row * epilogue.gateStride + first;
    finishRow(epilogue, bias, gate, bits, kept, count, c + row * ldc + first);
    if (bits != nullptr) bits += count;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(vectorColumns);
HWY_EXPORT(tileRows);
HWY_EXPORT(multiplyBlock);
HWY_EXPORT(multiplyRow);
HWY_EXPORT(finishRows);

namespace {

// A packed block of B stays in the second-level cache.
constexpr int64_t kBlockDepth = kGemmBlockDepth;
constexpr int64_t kPackedRows = 64;         // of a panel, in one go
constexpr int64_t kEpilogueColumns = 1024;  // random bits of dropout at a time
constexpr int64_t kRowChunks = 16;          // enough for any sensible number of threads
constexpr int64_t kFewRows = 3;  // to which turning B in registers costs less than packing it
// A product of few elements but many blocks of k, a weight gradient's, is shared out by blocks; one
// of more elements only where there are blocks for all threads.
constexpr int64_t kFewElements = 16384, kMoreElements = 65536;
constexpr int64_t kSkippingRows = 64;  // that a panel in the first-level cache should serve
// Columns and depth from which on skipping zeros pays for finding them.
constexpr int64_t kLeastSkipped = 32;

// For each k the `valid` columns from `column` on, then zeros up to `width`.
void packPanel(Transpose transpose, const float* b, int64_t ldb, int64_t column, int64_t valid,
               int64_t width, int64_t k0, int64_t k, float* to) {
  if (valid < width) std::fill_n(to, width * k, 0.0f);
  if (transpose == Transpose::kNo) {
    for (int64_t i = 0; i < k; ++i) {
      std::copy_n(b + (k0 + i) * ldb + column, valid, to + i * width);
    }
    return;
  }
  transposeBlock(b + column * ldb + k0, ldb, valid, k, to, width);
}

// Rows whose bits are drawn together: their elements follow each other.
int64_t rowsAtOnce(int64_t n) { return std::max<int64_t>(1, kEpilogueColumns / n); }

void finish(const GemmEpilogue& epilogue, int64_t begin, int64_t end, int64_t n, float* c,
            int64_t ldc) {
  const bool drop = epilogue.keep < 1.0f;
  if (epilogue.bias == nullptr && !epilogue.relu && !drop && epilogue.gate == nullptr) return;
  alignas(64) uint32_t bits[kEpilogueColumns];
  const int64_t together = rowsAtOnce(n);
  for (int64_t row = begin; row < end; row += together) {
    const int64_t last = std::min(end, row + together);
    for (int64_t first = 0; first < n; first += kEpilogueColumns) {
      const int64_t count = std::min(kEpilogueColumns, n - first);
      if (drop) {
        fillBits(epilogue.dropoutKey, static_cast<uint64_t>(row * n + first), (last - row) * count,
                 bits);
      }
      HWY_DYNAMIC_DISPATCH(finishRows)
      (epilogue, row, last, n, first, count, drop ? bits : nullptr, c, ldc);
    }
  }
}

// op(B) in blocks of k, as multiplyBlock takes them, or multiplySkippingZeros.
class RightOperand {
 public:
  // Few rows of C would use a packed block too seldom: they read B where it is.
  RightOperand(Transpose transpose, const float* b, int64_t ldb, int64_t n, int64_t rows,
               bool skipping)
      : transpose_(transpose), b_(b), ldb_(ldb), n_(n), skipping_(skipping) {
    const bool inPlace = !skipping && transpose == Transpose::kNo && fewRows(rows);
    inPlace_ = inPlace ? n / lanes_ * lanes_ : 0;
    panelColumns_ = skipping ? skippingPanelColumns() : 2 * lanes_;
  }

  static bool fewRows(int64_t rows) { return rows <= 2 * HWY_DYNAMIC_DISPATCH(tileRows)(); }

  // Pieces of a packed block: some rows of a panel each.
  int64_t pieces(int64_t depth) const { return panels() * chunkCount(depth, kPackedRows); }
  int64_t piecesAtOnce() const {  // worth a chunk
    return std::max<int64_t>(1, kChunkElements / (2 * panelColumns_ * kPackedRows));
  }
  int64_t packedSize(int64_t depth) const { return panels() * panelColumns_ * depth; }

  void pack(int64_t piece, int64_t k0, int64_t depth, float* packed) const {
    const int64_t panel = piece % panels();
    const int64_t row = piece / panels() * kPackedRows;
    const int64_t column = inPlace_ + panel * panelColumns_;
    const int64_t valid = std::min(panelColumns_, n_ - column);
    const int64_t width = chunkCount(valid, lanes_) * lanes_;
    packPanel(transpose_, b_, ldb_, column, valid, width, k0 + row,
              std::min(kPackedRows, depth - row),
              packed + panel * panelColumns_ * depth + row * width);
  }

  // C [rows, n] (+)= A * this block, which is packed where it is not read in place.
  void multiply(const LeftOperand& a, int64_t k0, int64_t depth, const float* packed, int64_t rows,
                bool first, float* c, int64_t ldc) const {
    const LeftOperand left{a.data + k0 * a.kStride, a.rowStride, a.kStride};
    if (skipping_) {
      return multiplySkippingZeros(left.data, left.rowStride, left.kStride, packed, rows, n_, depth,
                                   first, c, ldc);
    }
    if (inPlace_ > 0) {
      HWY_DYNAMIC_DISPATCH(multiplyBlock)
      (left, b_ + k0 * ldb_, ldb_, rows, inPlace_, depth, first, c, ldc);
    }
    HWY_DYNAMIC_DISPATCH(multiplyBlock)
    (left, packed, 0, rows, n_ - inPlace_, depth, first, c + inPlace_, ldc);
  }

 private:
  int64_t panels() const { return chunkCount(n_ - inPlace_, panelColumns_); }

  Transpose transpose_;
  const float* b_;
  int64_t ldb_, n_;
  bool skipping_;
  int64_t lanes_ = HWY_DYNAMIC_DISPATCH(vectorColumns)();
  int64_t inPlace_;  // columns from the first on
  int64_t panelColumns_;
};

// Memory for `count` floats that begins where a cache line does.
float* alignedFloats(std::vector<float>& memory, int64_t count) {
  constexpr size_t kLine = 64;
  float* data = atLeast(memory, count + static_cast<int64_t>(kLine / sizeof(float)));
  return data + (kLine - reinterpret_cast<uintptr_t>(data) % kLine) % kLine / sizeof(float);
}

// Little work is not worth waking other threads.
bool worthSharing(int64_t m, int64_t n, int64_t k) { return m >= 16 && m * n * k >= 65536; }

// Rows of C that make a piece of work: a few tiles, and an even number of pieces.
int64_t rowsPerPiece(int64_t m, bool skipping) {
  const int64_t least = skipping ? kSkippingRows : 2 * HWY_DYNAMIC_DISPATCH(tileRows)();
  const int64_t pieces = chunkCount(m, std::max(chunkCount(m, kRowChunks), least));
  return chunkCount(m, pieces + pieces % 2);
}

// Few rows times the transpose of B, which is read where it lies. By one thread: waking another one
// takes about as long as the whole product.
void multiplyRows(const LeftOperand& a, const float* b, int64_t ldb, int64_t m, int64_t n,
                  int64_t k, float* c, int64_t ldc) {
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t k0 = 0; k0 < k; k0 += kBlockDepth) {
      const LeftOperand left{a.data + row * a.rowStride + k0 * a.kStride, 0, a.kStride};
      HWY_DYNAMIC_DISPATCH(multiplyRow)
      (left, b + k0, ldb, n, std::min(kBlockDepth, k - k0), k0 == 0, c + row * ldc);
    }
  }
}

// Blocks of k are multiplied at once and then added up in their order.
void multiplyByBlocks(ThreadPool& pool, const LeftOperand& a, const RightOperand& b, int64_t m,
                      int64_t n, int64_t k, float* c, int64_t ldc) {
  const int64_t blocks = chunkCount(k, kBlockDepth);
  thread_local std::vector<float> memory;
  float* partial = atLeast(memory, (blocks - 1) * m * n);  // the caller's, in every worker
  forChunks(pool, blocks, worthSharing(m, n, k) ? 1 : blocks, [&](int64_t begin, int64_t end) {
    thread_local std::vector<float> packed;
    for (int64_t block = begin; block < end; ++block) {
      const int64_t k0 = block * kBlockDepth;
      const int64_t depth = std::min(kBlockDepth, k - k0);
      float* panels = alignedFloats(packed, b.packedSize(depth));
      for (int64_t i = 0; i < b.pieces(depth); ++i) b.pack(i, k0, depth, panels);
      float* to = block == 0 ? c : partial + (block - 1) * m * n;
      b.multiply(a, k0, depth, panels, m, true, to, block == 0 ? ldc : n);
    }
  });
  forChunks(pool, m, rowsPerChunk(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t block = 1; block < blocks; ++block) {
        const float* from = partial + ((block - 1) * m + row) * n;
        for (int64_t i = 0; i < n; ++i) c[row * ldc + i] += from[i];
      }
    }
  });
}

// One block of k after another; the next one is packed while one is multiplied.
void multiplyInTurn(ThreadPool& pool, const LeftOperand& a, const RightOperand& b, int64_t m,
                    int64_t n, int64_t k, int64_t rowsOfPiece, bool share,
                    const GemmEpilogue& epilogue, float* c, int64_t ldc) {
  thread_local std::array<std::vector<float>, 2> memory;  // kept, so that a step allocates nothing
  const int64_t blocks = chunkCount(k, kBlockDepth);
  const auto depthOf = [&](int64_t block) {
    return std::min(kBlockDepth, k - block * kBlockDepth);
  };
  std::array<float*, 2> packed{};  // the caller's, in every worker
  for (size_t i = 0; i < std::min<size_t>(2, static_cast<size_t>(blocks)); ++i) {
    packed[i] = alignedFloats(memory[i], b.packedSize(depthOf(0)));
  }
  const auto pack = [&](int64_t block, int64_t piece) {
    b.pack(piece, block * kBlockDepth, depthOf(block), packed[static_cast<size_t>(block % 2)]);
  };
  const auto multiply = [&](int64_t block, int64_t piece) {
    const int64_t begin = piece * rowsOfPiece, end = std::min(m, begin + rowsOfPiece);
    const LeftOperand rows{a.data + begin * a.rowStride, a.rowStride, a.kStride};
    b.multiply(rows, block * kBlockDepth, depthOf(block), packed[static_cast<size_t>(block % 2)],
               end - begin, block == 0, c + begin * ldc, ldc);
    if (block + 1 == blocks) finish(epilogue, begin, end, n, c, ldc);
  };
  for (int64_t stage = 0; stage <= blocks; ++stage) {
    const int64_t products = stage > 0 ? chunkCount(m, rowsOfPiece) : 0;
    const int64_t packs = stage < blocks ? b.pieces(depthOf(stage)) : 0;
    const int64_t together = share ? b.piecesAtOnce() : std::max<int64_t>(1, packs);
    const auto work = [&](int64_t piece, int) {
      if (piece < products) return multiply(stage - 1, piece);
      const int64_t first = (piece - products) * together;
      for (int64_t i = first; i < std::min(packs, first + together); ++i) pack(stage, i);
    };
    const int64_t pieces = products + chunkCount(packs, together);
    if (share) {
      pool.parallelFor(pieces, work);
    } else {
      for (int64_t piece = 0; piece < pieces; ++piece) work(piece, 0);
    }
  }
}

}  // namespace

void gemm(ThreadPool& pool, Transpose transposeA, Transpose transposeB, int64_t m, int64_t n,
          int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb, float* c,
          int64_t ldc, const GemmEpilogue& epilogue, bool skipZeros) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (int64_t row = 0; row < m; ++row) std::fill_n(c + row * ldc, n, 0.0f);
    finish(epilogue, 0, m, n, c, ldc);
    return;
  }
  const auto rowsFrom = [&](int64_t row) {
    return transposeA == Transpose::kNo ? LeftOperand{a + row * lda, lda, 1}
                                        : LeftOperand{a + row, 1, lda};
  };
  if (transposeB == Transpose::kYes && m <= kFewRows) {
    multiplyRows(rowsFrom(0), b, ldb, m, n, k, c, ldc);
    finish(epilogue, 0, m, n, c, ldc);
    return;
  }
  const bool skipping =
      skipZeros && !RightOperand::fewRows(m) && k >= kLeastSkipped && n >= kLeastSkipped &&
      (transposeA == Transpose::kNo ? hasManyZeros(a, m, k, lda) : hasManyZeros(a, k, m, lda));
  const RightOperand right(transposeB, b, ldb, n, m, skipping);
  const int64_t enough = chunkCount(k, kBlockDepth) < pool.size() ? kFewElements : kMoreElements;
  if (k > kBlockDepth && m * n <= enough) {
    multiplyByBlocks(pool, rowsFrom(0), right, m, n, k, c, ldc);
    finish(epilogue, 0, m, n, c, ldc);
    return;
  }
  const bool share = worthSharing(m, n, std::min(k, kBlockDepth));
  multiplyInTurn(pool, rowsFrom(0), right, m, n, k, share ? rowsPerPiece(m, skipping) : m, share,
                 epilogue, c, ldc);
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
