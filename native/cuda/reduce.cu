#include "reduce.h"

#include <algorithm>

#include "block_sum.h"

namespace polydomain::cuda {

namespace {

struct DotTerm {
  const float* a;
  const float* b;
  template <int W>
  POLYDOMAIN_DEVICE double sum(int64_t at) const {
    const Vec<W> x = load<W>(a + at), y = load<W>(b + at);
    double total = 0.0;
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < W; ++i) {
      total += static_cast<double>(x.v[i]) * static_cast<double>(y.v[i]);
    }
    return total;
  }
  bool aligned() const { return aligned16(a) && aligned16(b); }
};

// A block adds up kColumns columns of one chunk of rows, kSide rows beside each other.
struct ColumnChunksKernel {
  static constexpr int kColumns = 32, kSide = 8, kThreads = kColumns * kSide;
  struct Shared {
    double partial[kSide][kColumns];
  };
  const float* x;
  int64_t stride, rows, columns, chunk, columnBlocks;
  double* partial;  // [chunks, columns]

  POLYDOMAIN_DEVICE void operator()(const Thread& thread, Shared& shared) const {
    const int side = thread.index / kColumns, lane = thread.index % kColumns;
    const int64_t part = thread.block / columnBlocks;
    const int64_t column = thread.block % columnBlocks * kColumns + lane;
    const int64_t begin = part * chunk;
    const int64_t end = begin + chunk < rows ? begin + chunk : rows;
    double own = 0.0;
    if (column < columns) {
      POLYDOMAIN_UNROLL(4)
      for (int64_t row = begin + side; row < end; row += kSide) own += x[row * stride + column];
    }
    shared.partial[side][lane] = own;
    thread.barrier();
    if (side == 0 && column < columns) {
      double sum = own;
      for (int i = 1; i < kSide; ++i) sum += shared.partial[i][lane];
      partial[part * columns + column] = sum;
    }
  }
};

struct ColumnsKernel {
  static constexpr int kThreads = 128;
  const double* partial;
  int64_t chunks, columns;
  double scale;
  float* out;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    const int64_t column = thread.block * kThreads + thread.index;
    if (column >= columns) return;
    double sum = 0.0;
    for (int64_t i = 0; i < chunks; ++i) sum += partial[i * columns + column];
    out[column] = static_cast<float>(scale * sum);
  }
};

struct SumTerm {
  const float* x;
  template <int W>
  POLYDOMAIN_DEVICE double sum(int64_t at) const {
    const Vec<W> terms = load<W>(x + at);
    double total = 0.0;
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < W; ++i) total += static_cast<double>(terms.v[i]);
    return total;
  }
  bool aligned() const { return aligned16(x); }
};

// A thread adds up what belongs to one result.
struct SumMiddleKernel {
  static constexpr int kThreads = 128;
  const float* x;
  int64_t results, reduced, inner;
  double scale;
  float* y;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    const int64_t at = thread.block * kThreads + thread.index;
    if (at >= results) return;
    const float* from = x + at / inner * reduced * inner + at % inner;
    double sum = 0.0;
    POLYDOMAIN_UNROLL(8)
    for (int64_t r = 0; r < reduced; ++r) sum += static_cast<double>(from[r * inner]);
    y[at] = static_cast<float>(scale * sum);
  }
};

void sumColumns(Stream& stream, const float* x, int64_t stride, int64_t rows, int64_t columns,
                double scale, float* out) {
  if (columns == 0) return;
  constexpr int64_t kChunk = 256;
  // The partial sums have to fit into the workspace.
  const int64_t mostChunks =
      std::max<int64_t>(1, static_cast<int64_t>(kWorkspaceBytes / sizeof(double)) / columns);
  const int64_t chunk =
      kChunk * ceilDivide(ceilDivide(rows, kChunk), std::min<int64_t>(mostChunks, 256));
  const int64_t chunks = rows == 0 ? 0 : ceilDivide(rows, chunk);
  const int64_t columnBlocks = ceilDivide(columns, ColumnChunksKernel::kColumns);
  auto* partial = static_cast<double*>(stream.workspace);
  launch(stream, ColumnChunksKernel{x, stride, rows, columns, chunk, columnBlocks, partial},
         chunks * columnBlocks);
  launch(stream, ColumnsKernel{partial, chunks, columns, scale, out},
         ceilDivide(columns, ColumnsKernel::kThreads));
}

}  // namespace

void dot(Stream* stream, int64_t n, const float* a, const float* b, double* out) {
  sumTerms(*stream, DotTerm{a, b}, n, 1.0, out);
}

void columnSum(Stream* stream, const float* x, int64_t stride, int64_t rows, int64_t columns,
               float* out) {
  sumColumns(*stream, x, stride, rows, columns, 1.0, out);
}

void sumMiddle(Stream* stream, int64_t outer, int64_t reduced, int64_t inner, double scale,
               const float* x, float* y) {
  if (outer == 1 && inner == 1) {
    sumTerms(*stream, SumTerm{x}, reduced, 1.0 / scale, y);
  } else if (outer == 1) {
    sumColumns(*stream, x, inner, reduced, inner, scale, y);
  } else {
    launch(*stream, SumMiddleKernel{x, outer * inner, reduced, inner, scale, y},
           ceilDivide(outer * inner, SumMiddleKernel::kThreads));
  }
}

}  // namespace polydomain::cuda
