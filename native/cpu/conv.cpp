#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "conv.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <vector>

#include "chunks.h"
#include "conv.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

using FloatTag = hn::ScalableTag<float>;

// Calls body(tap, to, from, count) for each tap w[o, i, t], in memory order: it takes `count`
// neighbouring values at `from` of a row of x to those at `to` of that row of y. Positions that
// read the padding are left out.
template <class Body>
HWY_INLINE void forTaps(const Conv1dShape& s, const Body& body) {
  const int64_t plane = s.length * s.inner;
  const int64_t before = (s.width - 1) / 2;
  int64_t tap = 0;
  for (int64_t o = 0; o < s.out; ++o) {
    for (int64_t i = 0; i < s.in; ++i) {
      for (int64_t t = 0; t < s.width; ++t, ++tap) {
        const int64_t shift = t - before;
        const int64_t first = std::max<int64_t>(0, -shift);
        const int64_t end = std::min(s.length, s.length - shift);
        if (first >= end) continue;
        body(tap, o * plane + first * s.inner, i * plane + (first + shift) * s.inner,
             (end - first) * s.inner);
      }
    }
  }
}

struct ScaledSum {
  float factor;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V sum) const {
    return hn::MulAdd(x, hn::Set(d, factor), sum);
  }
};

float dot(const float* a, const float* b, int64_t count) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  // Four chains hide the latency of the addition.
  auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    s0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
    s1 = hn::MulAdd(hn::LoadU(d, a + i + lanes), hn::LoadU(d, b + i + lanes), s1);
    s2 = hn::MulAdd(hn::LoadU(d, a + i + 2 * lanes), hn::LoadU(d, b + i + 2 * lanes), s2);
    s3 = hn::MulAdd(hn::LoadU(d, a + i + 3 * lanes), hn::LoadU(d, b + i + 3 * lanes), s3);
  }
  for (; i + lanes <= count; i += lanes) {
    s0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
  }
  if (i < count) s1 = hn::MulAdd(loadTail(d, a + i, count - i), loadTail(d, b + i, count - i), s1);
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

void convolveRow(const Conv1dShape& s, const float* x, const float* weight, float* y) {
  std::fill(y, y + s.out * s.length * s.inner, 0.0f);
  forTaps(s, [&](int64_t tap, int64_t to, int64_t from, int64_t count) {
    transform(ScaledSum{weight[tap]}, count, y + to, Stream{x + from}, Stream{y + to});
  });
}

void inputGradientRow(const Conv1dShape& s, const float* g, const float* weight, float* out) {
  std::fill(out, out + s.in * s.length * s.inner, 0.0f);
  forTaps(s, [&](int64_t tap, int64_t to, int64_t from, int64_t count) {
    transform(ScaledSum{weight[tap]}, count, out + from, Stream{g + to}, Stream{out + from});
  });
}

void addWeightGradientRow(const Conv1dShape& s, const float* g, const float* x, double* sums) {
  forTaps(s, [&](int64_t tap, int64_t to, int64_t from, int64_t count) {
    sums[tap] += static_cast<double>(dot(g + to, x + from, count));
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(convolveRow);
HWY_EXPORT(inputGradientRow);
HWY_EXPORT(addWeightGradientRow);

namespace {

// The sizes of a row of x and of one of y.
int64_t inputSize(const Conv1dShape& s) { return s.in * s.length * s.inner; }
int64_t outputSize(const Conv1dShape& s) { return s.out * s.length * s.inner; }

// Rows of a chunk of work: a value of y costs in * width products.
int64_t chunkRows(const Conv1dShape& s) { return rowsPerChunk(outputSize(s) * s.in); }

}  // namespace

void conv1d(ThreadPool& pool, const Conv1dShape& shape, const float* x, const float* weight,
            float* y) {
  forChunks(pool, shape.rows, chunkRows(shape), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      HWY_DYNAMIC_DISPATCH(convolveRow)
      (shape, x + r * inputSize(shape), weight, y + r * outputSize(shape));
    }
  });
}

void conv1dInputGradient(ThreadPool& pool, const Conv1dShape& shape, const float* g,
                         const float* weight, float* out) {
  forChunks(pool, shape.rows, chunkRows(shape), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      HWY_DYNAMIC_DISPATCH(inputGradientRow)
      (shape, g + r * outputSize(shape), weight, out + r * inputSize(shape));
    }
  });
}

void conv1dWeightGradient(ThreadPool& pool, const Conv1dShape& shape, const float* g,
                          const float* x, float* out) {
  const int64_t taps = shape.out * shape.in * shape.width;
  const int64_t blocks = chunkCount(shape.rows, chunkRows(shape));
  // Memory of the calling thread; kept, so that a step allocates nothing.
  thread_local std::vector<double> memory;
  memory.assign(static_cast<size_t>(blocks * taps), 0.0);
  double* partial = memory.data();
  forChunks(pool, shape.rows, chunkRows(shape), [&](int64_t begin, int64_t end) {
    double* sums = partial + begin / chunkRows(shape) * taps;
    for (int64_t r = begin; r < end; ++r) {
      HWY_DYNAMIC_DISPATCH(addWeightGradientRow)
      (shape, g + r * outputSize(shape), x + r * inputSize(shape), sums);
    }
  });
  for (int64_t tap = 0; tap < taps; ++tap) {
    double sum = 0.0;
    for (int64_t block = 0; block < blocks; ++block) sum += partial[block * taps + tap];
    out[tap] = static_cast<float>(sum);
  }
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
