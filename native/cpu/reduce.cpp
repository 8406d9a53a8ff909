#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduce.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <cmath>
#include <vector>

#include "chunks.h"
#include "elementwise.h"
#include "reduce.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

using WideTag = hn::ScalableTag<double>;
using NarrowTag = hn::Rebind<float, WideTag>;

double sumRange(const float* x, int64_t count) {
  const WideTag wide;
  const NarrowTag narrow;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  // Four chains hide the latency of the addition.
  auto s0 = hn::Zero(wide), s1 = hn::Zero(wide), s2 = hn::Zero(wide), s3 = hn::Zero(wide);
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    s0 = hn::Add(s0, hn::PromoteTo(wide, hn::LoadU(narrow, x + i)));
    s1 = hn::Add(s1, hn::PromoteTo(wide, hn::LoadU(narrow, x + i + lanes)));
    s2 = hn::Add(s2, hn::PromoteTo(wide, hn::LoadU(narrow, x + i + 2 * lanes)));
    s3 = hn::Add(s3, hn::PromoteTo(wide, hn::LoadU(narrow, x + i + 3 * lanes)));
  }
  for (; i + lanes <= count; i += lanes) {
    s0 = hn::Add(s0, hn::PromoteTo(wide, hn::LoadU(narrow, x + i)));
  }
  if (i < count) s1 = hn::Add(s1, hn::PromoteTo(wide, loadTail(narrow, x + i, count - i)));
  return hn::GetLane(hn::SumOfLanes(wide, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

// The sum of the rows' vectors that `load` reads. Four chains hide the latency of the addition.
template <class Load>
HWY_INLINE hn::Vec<WideTag> sumOfRows(const float* x, int64_t rows, int64_t stride,
                                      const Load& load) {
  const WideTag wide;
  auto s0 = hn::Zero(wide), s1 = hn::Zero(wide), s2 = hn::Zero(wide), s3 = hn::Zero(wide);
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * stride) {
    s0 = hn::Add(s0, hn::PromoteTo(wide, load(x)));
    s1 = hn::Add(s1, hn::PromoteTo(wide, load(x + stride)));
    s2 = hn::Add(s2, hn::PromoteTo(wide, load(x + 2 * stride)));
    s3 = hn::Add(s3, hn::PromoteTo(wide, load(x + 3 * stride)));
  }
  for (; r < rows; ++r, x += stride) s0 = hn::Add(s0, hn::PromoteTo(wide, load(x)));
  return hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
}

// sums[c] = sum over rows of x[r * stride + c], for c in [0, width).
void sumColumns(const float* x, int64_t rows, int64_t stride, int64_t width, double* sums) {
  const WideTag wide;
  const NarrowTag narrow;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  int64_t c = 0;
  for (; c + 4 * lanes <= width; c += 4 * lanes) {
    auto s0 = hn::Zero(wide), s1 = hn::Zero(wide), s2 = hn::Zero(wide), s3 = hn::Zero(wide);
    const float* from = x + c;
    for (int64_t r = 0; r < rows; ++r, from += stride) {
      s0 = hn::Add(s0, hn::PromoteTo(wide, hn::LoadU(narrow, from)));
      s1 = hn::Add(s1, hn::PromoteTo(wide, hn::LoadU(narrow, from + lanes)));
      s2 = hn::Add(s2, hn::PromoteTo(wide, hn::LoadU(narrow, from + 2 * lanes)));
      s3 = hn::Add(s3, hn::PromoteTo(wide, hn::LoadU(narrow, from + 3 * lanes)));
    }
    hn::StoreU(s0, wide, sums + c);
    hn::StoreU(s1, wide, sums + c + lanes);
    hn::StoreU(s2, wide, sums + c + 2 * lanes);
    hn::StoreU(s3, wide, sums + c + 3 * lanes);
  }
  for (; c + lanes <= width; c += lanes) {
    const auto load = [&](const float* from) HWY_ATTR { return hn::LoadU(narrow, from); };
    hn::StoreU(sumOfRows(x + c, rows, stride, load), wide, sums + c);
  }
  if (c < width) {
    const int64_t left = width - c;
    const auto load = [&](const float* from) HWY_ATTR { return loadTail(narrow, from, left); };
    storeTail(wide, sumOfRows(x + c, rows, stride, load), sums + c, left);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(sumRange);
HWY_EXPORT(sumColumns);

namespace {

// Partial sums of the calling thread's reduction; kept, so that a step allocates nothing.
double* scratch(int64_t count) {
  thread_local std::vector<double> memory;
  if (memory.size() < static_cast<size_t>(count)) memory.resize(static_cast<size_t>(count));
  return memory.data();
}

}  // namespace

void sumMiddle(ThreadPool& pool, const float* x, int64_t outer, int64_t reduced, int64_t inner,
               double scale, float* y) {
  if (outer * inner == 0) return;
  if (inner == 1 && reduced <= kChunkElements) {
    forChunks(pool, outer, rowsPerChunk(reduced), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        y[o] = static_cast<float>(scale * HWY_DYNAMIC_DISPATCH(sumRange)(x + o * reduced, reduced));
      }
    });
    return;
  }
  const int64_t blockRows = rowsPerChunk(inner);
  const int64_t blocks = std::max<int64_t>(1, chunkCount(reduced, blockRows));
  double* partial = scratch(outer * blocks * inner);
  forChunks(pool, outer * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const int64_t first = (index % blocks) * blockRows;
      const int64_t rows = std::min(blockRows, reduced - first);
      const float* from = x + ((index / blocks) * reduced + first) * inner;
      if (inner == 1) {
        partial[index] = HWY_DYNAMIC_DISPATCH(sumRange)(from, rows);
      } else {
        HWY_DYNAMIC_DISPATCH(sumColumns)(from, rows, inner, inner, partial + index * inner);
      }
    }
  });
  forChunks(pool, outer * inner, rowsPerChunk(blocks), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const double* from = partial + (at / inner) * blocks * inner + at % inner;
      double sum = 0.0;
      for (int64_t block = 0; block < blocks; ++block) sum += from[block * inner];
      y[at] = static_cast<float>(scale * sum);
    }
  });
}

void maxMiddle(ThreadPool& pool, const float* x, int64_t outer, int64_t reduced, int64_t inner,
               float* y) {
  forChunks(pool, outer, rowsPerChunk(reduced * inner), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const float* from = x + o * reduced * inner;
      float* to = y + o * inner;
      std::copy(from, from + inner, to);
      for (int64_t r = 1; r < reduced; ++r) {
        for (int64_t i = 0; i < inner; ++i) {
          const float value = from[r * inner + i];
          if (value > to[i] || std::isnan(value)) to[i] = value;
        }
      }
    }
  });
}

void maxMiddleGradient(ThreadPool& pool, const float* gradient, const float* x, const float* y,
                       int64_t outer, int64_t reduced, int64_t inner, float* out) {
  forChunks(pool, outer, rowsPerChunk(reduced * inner), [&](int64_t begin, int64_t end) {
    std::fill(out + begin * reduced * inner, out + end * reduced * inner, 0.0f);
    for (int64_t o = begin; o < end; ++o) {
      for (int64_t i = 0; i < inner; ++i) {
        for (int64_t r = 0; r < reduced; ++r) {
          const int64_t at = (o * reduced + r) * inner + i;
          if (x[at] == y[o * inner + i]) {
            out[at] = gradient[o * inner + i];
            break;
          }
        }
      }
    }
  });
}

void spreadMiddle(ThreadPool& pool, const float* x, int64_t outer, int64_t reduced, int64_t inner,
                  float scale, float* out) {
  forChunks(pool, outer * reduced, rowsPerChunk(inner), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end;) {
      const int64_t o = row / reduced;
      const int64_t last = std::min(end, (o + 1) * reduced);
      if (inner == 1) {
        std::fill(out + row, out + last, x[o] * scale);
        row = last;
      }
      for (; row < last; ++row) {
        const float* from = x + o * inner;
        float* to = out + row * inner;
        for (int64_t i = 0; i < inner; ++i) to[i] = from[i] * scale;
      }
    }
  });
}

void sumToShape(ThreadPool& pool, const TensorView& x, const TensorView& y) {
  if (x.size() == 0) return fill(pool, 0.0f, y.f32(), y.size());
  const BroadcastRuns merged = mergeDimensions(x.shape, y.shape, x.shape);
  size_t summed = 0;
  for (size_t i = 0; i < merged.count; ++i) summed += merged.runs[i].repeatsA ? 1 : 0;
  if (summed <= 1) {
    int64_t outer = 1, reduced = 1, inner = 1;
    bool passed = summed == 0;
    for (size_t i = 0; i < merged.count; ++i) {
      if (merged.runs[i].repeatsA) {
        reduced = merged.runs[i].size;
        passed = true;
      } else {
        (passed ? inner : outer) *= merged.runs[i].size;
      }
    }
    return sumMiddle(pool, x.f32(), outer, reduced, inner, 1.0, y.f32());
  }
  // Several separate runs: one double per result, walked in memory order.
  const int64_t results = y.size();
  double* sums = scratch(results);
  std::fill(sums, sums + results, 0.0);
  const int64_t count = x.size();
  for (int64_t at = 0; at < count; ++at) {
    int64_t rest = at, to = 0, stride = 1;
    for (size_t i = merged.count; i-- > 0;) {
      const BroadcastRuns::Run run = merged.runs[i];
      if (!run.repeatsA) {
        to += rest % run.size * stride;
        stride *= run.size;
      }
      rest /= run.size;
    }
    sums[to] += static_cast<double>(x.f32()[at]);
  }
  for (int64_t i = 0; i < results; ++i) y.f32()[i] = static_cast<float>(sums[i]);
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
