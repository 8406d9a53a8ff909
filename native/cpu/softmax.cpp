#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "softmax.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "chunks.h"
#include "softmax.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

using FloatTag = hn::ScalableTag<float>;

// Two steps: the row's maximum and ln(sum) may differ by orders of magnitude.
struct LogSoftmax {
  float shift, logSum;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Sub(hn::Sub(x, hn::Set(d, shift)), hn::Set(d, logSum));
  }
};

struct ShiftedExp {
  float shift;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return exp(d, hn::Sub(x, hn::Set(d, shift)));
  }
};

struct Divided {
  float divisor;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(x, hn::Set(d, divisor));
  }
};

// dx = y (dy - sum dy y).
struct SoftmaxGradient {
  float dot;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V gradient, V y) const {
    return hn::Mul(y, hn::Sub(gradient, hn::Set(d, dot)));
  }
};

// dx = dy - e^y sum dy.
struct LogSoftmaxGradient {
  float sum;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V gradient, V y) const {
    return hn::NegMulAdd(exp(d, y), hn::Set(d, sum), gradient);
  }
};

float maxOf(const float* x, int64_t count) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const float lowest = -std::numeric_limits<float>::infinity();
  auto best = hn::Set(d, lowest);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) best = hn::Max(best, hn::LoadU(d, x + i));
  if (i < count) best = hn::Max(best, loadTail(d, x + i, count - i, lowest));
  return hn::GetLane(hn::MaxOfLanes(d, best));
}

// Sum over the row of term(i), in lanes that do not depend on where the row lies.
template <class Term, class... Operands>
HWY_INLINE float sumOf(const Term& term, int64_t count, const Operands&... operands) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) sum = hn::Add(sum, term(d, operands.load(d, i)...));
  if (i < count) {
    const auto last = term(d, operands.loadLast(d, i, count - i)...);
    const auto valid = hn::FirstN(d, static_cast<size_t>(count - i));
    sum = hn::Add(sum, hn::IfThenElseZero(valid, last));
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

struct Itself {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return x;
  }
};

struct Product {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Mul(a, b);
  }
};

void softmaxRow(bool logarithm, const float* x, float* y, int64_t width) {
  const float shift = maxOf(x, width);
  if (logarithm) {
    const float sum = sumOf(ShiftedExp{shift}, width, Stream{x});
    const FloatTag d;
    const float logSum = hn::GetLane(log(d, hn::Set(d, sum)));
    return transform(LogSoftmax{shift, logSum}, width, y, Stream{x});
  }
  transform(ShiftedExp{shift}, width, y, Stream{x});
  transform(Divided{sumOf(Itself{}, width, Stream{y})}, width, y, Stream{y});
}

void softmaxGradientRow(bool logarithm, const float* gradient, const float* y, float* out,
                        int64_t width) {
  if (logarithm) {
    const float sum = sumOf(Itself{}, width, Stream{gradient});
    return transform(LogSoftmaxGradient{sum}, width, out, Stream{gradient}, Stream{y});
  }
  const float dot = sumOf(Product{}, width, Stream{gradient}, Stream{y});
  transform(SoftmaxGradient{dot}, width, out, Stream{gradient}, Stream{y});
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(softmaxRow);
HWY_EXPORT(softmaxGradientRow);

void softmax(ThreadPool& pool, bool logarithm, const float* x, float* y, int64_t rows,
             int64_t width) {
  forChunks(pool, rows, rowsPerChunk(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      HWY_DYNAMIC_DISPATCH(softmaxRow)(logarithm, x + row * width, y + row * width, width);
    }
  });
}

void softmaxGradient(ThreadPool& pool, bool logarithm, const float* gradient, const float* y,
                     float* out, int64_t rows, int64_t width) {
  forChunks(pool, rows, rowsPerChunk(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      HWY_DYNAMIC_DISPATCH(softmaxGradientRow)
      (logarithm, gradient + row * width, y + row * width, out + row * width, width);
    }
  });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
