#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "batch_norm.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <cmath>
#include <vector>

#include "batch_norm.h"
#include "chunks.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

using WideTag = hn::ScalableTag<double>;
using NarrowTag = hn::Rebind<float, WideTag>;

HWY_INLINE hn::Vec<WideTag> loadWide(const float* from, int64_t valid) {
  const NarrowTag narrow;
  const bool whole = valid >= static_cast<int64_t>(hn::Lanes(narrow));
  return hn::PromoteTo(WideTag(), whole ? hn::LoadU(narrow, from) : loadTail(narrow, from, valid));
}

void sumSquares(const float* x, const float* mean, int64_t rows, int64_t width, double* sums) {
  const WideTag wide;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  for (int64_t c = 0; c < width; c += lanes) {
    const int64_t valid = std::min(lanes, width - c);
    const auto middle = loadWide(mean + c, valid);
    auto sum = hn::Zero(wide);
    for (int64_t r = 0; r < rows; ++r) {
      const auto difference = hn::Sub(loadWide(x + r * width + c, valid), middle);
      sum = hn::MulAdd(difference, difference, sum);
    }
    storeTail(wide, sum, sums + c, valid);
  }
}

// sums[c] of g, sums[width + c] of g * (x - mean).
void sumProducts(const float* g, const float* x, const float* mean, int64_t rows, int64_t width,
                 double* sums) {
  const WideTag wide;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  for (int64_t c = 0; c < width; c += lanes) {
    const int64_t valid = std::min(lanes, width - c);
    const auto middle = loadWide(mean + c, valid);
    auto sum = hn::Zero(wide), products = hn::Zero(wide);
    for (int64_t r = 0; r < rows; ++r) {
      const auto gradient = loadWide(g + r * width + c, valid);
      sum = hn::Add(sum, gradient);
      products =
          hn::MulAdd(gradient, hn::Sub(loadWide(x + r * width + c, valid), middle), products);
    }
    storeTail(wide, sum, sums + c, valid);
    storeTail(wide, products, sums + width + c, valid);
  }
}

struct Normalized {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V mean, V factor, V shift) const {
    return hn::MulAdd(hn::Sub(x, mean), factor, shift);
  }
};

// factor * (g - a - (x - mean) * b)
struct InputGradient {
  template <class D, class V>
  HWY_INLINE V operator()(D, V g, V x, V mean, V factor, V a, V b) const {
    return hn::Mul(factor, hn::NegMulAdd(hn::Sub(x, mean), b, hn::Sub(g, a)));
  }
};

void normalizeRow(const float* x, const float* mean, const float* factor, const float* shift,
                  int64_t width, float* y) {
  transform(Normalized{}, width, y, Stream{x}, Stream{mean}, Stream{factor}, Stream{shift});
}

void inputGradientRow(const float* g, const float* x, const float* mean, const float* factor,
                      const float* a, const float* b, int64_t width, float* out) {
  transform(InputGradient{}, width, out, Stream{g}, Stream{x}, Stream{mean}, Stream{factor},
            Stream{a}, Stream{b});
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(sumSquares);
HWY_EXPORT(sumProducts);
HWY_EXPORT(normalizeRow);
HWY_EXPORT(inputGradientRow);

namespace {

// Memory of the calling thread; kept, so that a step allocates nothing.
template <typename Number>
Number* scratch(int64_t count) {
  thread_local std::vector<Number> memory;
  if (memory.size() < static_cast<size_t>(count)) memory.resize(static_cast<size_t>(count));
  return memory.data();
}

// Column sums of blocks of rows, then the blocks in ascending order: sumBlock(first, rows, out)
// writes `columns` sums, and finish(column, sum) gets their totals.
template <typename SumBlock, typename Finish>
void sumByBlocks(ThreadPool& pool, int64_t rows, int64_t width, int64_t columns,
                 const SumBlock& sumBlock, const Finish& finish) {
  const int64_t blockRows = rowsPerChunk(width);
  const int64_t blocks = chunkCount(rows, blockRows);
  double* partial = scratch<double>(blocks * columns);
  forChunks(pool, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * blockRows;
      sumBlock(first, std::min(blockRows, rows - first), partial + block * columns);
    }
  });
  for (int64_t c = 0; c < columns; ++c) {
    double sum = 0.0;
    for (int64_t block = 0; block < blocks; ++block) sum += partial[block * columns + c];
    finish(c, sum);
  }
}

double inverseDeviation(const BatchNormShape& shape, const ColumnMoments& moments, int64_t column) {
  return 1.0 / std::sqrt(static_cast<double>(moments.variance[column]) + shape.epsilon);
}

}  // namespace

void columnVariance(ThreadPool& pool, const float* x, const float* mean, int64_t rows,
                    int64_t width, float* y) {
  const double scale = rows > 0 ? 1.0 / static_cast<double>(rows) : 0.0;
  sumByBlocks(
      pool, rows, width, width,
      [&](int64_t first, int64_t count, double* sums) {
        HWY_DYNAMIC_DISPATCH(sumSquares)(x + first * width, mean, count, width, sums);
      },
      [&](int64_t column, double sum) { y[column] = static_cast<float>(scale * sum); });
}

void batchNorm(ThreadPool& pool, const BatchNormShape& shape, const float* x, const float* scale,
               const float* shift, const ColumnMoments& moments, float* y) {
  const auto [rows, width, epsilon] = shape;
  float* factor = scratch<float>(width);
  for (int64_t c = 0; c < width; ++c) {
    factor[c] = static_cast<float>(scale[c] * inverseDeviation(shape, moments, c));
  }
  forChunks(pool, rows, rowsPerChunk(width), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      HWY_DYNAMIC_DISPATCH(normalizeRow)
      (x + r * width, moments.mean, factor, shift, width, y + r * width);
    }
  });
}

void batchNormSums(ThreadPool& pool, const BatchNormShape& shape, const float* g, const float* x,
                   const ColumnMoments& moments, float* sums) {
  const int64_t width = shape.width;
  sumByBlocks(
      pool, shape.rows, width, 2 * width,
      [&](int64_t first, int64_t count, double* partial) {
        HWY_DYNAMIC_DISPATCH(sumProducts)
        (g + first * width, x + first * width, moments.mean, count, width, partial);
      },
      [&](int64_t column, double sum) {
        const double factor =
            column < width ? 1.0 : inverseDeviation(shape, moments, column - width);
        sums[column] = static_cast<float>(factor * sum);
      });
}

// With n rows, s = 1 / sqrt(variance + epsilon) and x' = (x - mean) s:
// dx = scale s (g - mean(g) - x' mean(g x')).
void batchNormGradient(ThreadPool& pool, const BatchNormShape& shape, const float* g,
                       const float* x, const float* scale, const ColumnMoments& moments,
                       const float* sums, float* out) {
  const auto [rows, width, epsilon] = shape;
  float* factor = scratch<float>(3 * width);
  float* a = factor + width;
  float* b = a + width;
  for (int64_t c = 0; c < width; ++c) {
    const double s = inverseDeviation(shape, moments, c);
    factor[c] = static_cast<float>(scale[c] * s);
    a[c] = static_cast<float>(sums[c] / static_cast<double>(rows));
    b[c] = static_cast<float>(s * sums[width + c] / static_cast<double>(rows));
  }
  forChunks(pool, rows, rowsPerChunk(width), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      HWY_DYNAMIC_DISPATCH(inputGradientRow)
      (g + r * width, x + r * width, moments.mean, factor, a, b, width, out + r * width);
    }
  });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
