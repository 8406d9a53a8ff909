#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "elementwise.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <cmath>

#include "chunks.h"
#include "elementwise.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

// One functor per function; `Parameters` where it has any.
#define POLYDOMAIN_UNARY(Name, expression)                     \
  struct Name {                                                \
    [[maybe_unused]] Parameters parameters;                    \
    template <class D, class V>                                \
    HWY_INLINE V operator()([[maybe_unused]] D d, V x) const { \
      return expression;                                       \
    }                                                          \
  };
#define POLYDOMAIN_BINARY(Name, expression)                         \
  struct Name {                                                     \
    [[maybe_unused]] Parameters parameters;                         \
    template <class D, class V>                                     \
    HWY_INLINE V operator()([[maybe_unused]] D d, V a, V b) const { \
      return expression;                                            \
    }                                                               \
  };

POLYDOMAIN_UNARY(Neg, hn::Neg(x))
POLYDOMAIN_UNARY(Exp, exp(d, x))
POLYDOMAIN_UNARY(Log, log(d, x))
POLYDOMAIN_UNARY(Sqrt, hn::Sqrt(x))
POLYDOMAIN_UNARY(Square, hn::Mul(x, x))
POLYDOMAIN_UNARY(Abs, hn::Abs(x))
// A comparison and no maximum: NaN must stay NaN.
POLYDOMAIN_UNARY(Relu, hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), x))
POLYDOMAIN_UNARY(Sigmoid, sigmoid(d, x))
POLYDOMAIN_UNARY(Tanh, tanh(d, x))
POLYDOMAIN_UNARY(Softplus, softplus(d, x))
POLYDOMAIN_UNARY(Reciprocal, hn::Div(hn::Set(d, 1.0f), x))
POLYDOMAIN_UNARY(Scale, hn::Mul(x, hn::Set(d, parameters.p)))
POLYDOMAIN_UNARY(AddScalar, hn::Add(x, hn::Set(d, parameters.p)))

struct Clip {
  Parameters parameters;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V low = hn::Set(d, parameters.p);
    const V high = hn::Set(d, parameters.q);
    return hn::IfThenElse(hn::Lt(x, low), low, hn::IfThenElse(hn::Gt(x, high), high, x));
  }
};

POLYDOMAIN_BINARY(Add, hn::Add(a, b))
POLYDOMAIN_BINARY(Sub, hn::Sub(a, b))
POLYDOMAIN_BINARY(Mul, hn::Mul(a, b))
POLYDOMAIN_BINARY(Div, hn::Div(a, b))
// A NaN on either side wins.
POLYDOMAIN_BINARY(Maximum, hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b))
POLYDOMAIN_BINARY(Minimum, hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b))
POLYDOMAIN_BINARY(Step,
                  hn::IfThenElseZero(hn::Ge(a, b), hn::IfThenElse(hn::Gt(a, b), hn::Set(d, 1.0f),
                                                                  hn::Set(d, 0.5f))))
POLYDOMAIN_BINARY(ReluGradient, hn::IfThenElseZero(hn::Gt(b, hn::Zero(d)), a))
POLYDOMAIN_BINARY(SigmoidGradient, hn::Mul(a, hn::Mul(b, hn::Sub(hn::Set(d, 1.0f), b))))
POLYDOMAIN_BINARY(TanhGradient, hn::Mul(a, hn::NegMulAdd(b, b, hn::Set(d, 1.0f))))
POLYDOMAIN_BINARY(SqrtGradient, hn::Div(hn::Mul(a, hn::Set(d, 0.5f)), b))
POLYDOMAIN_BINARY(ReciprocalGradient, hn::Neg(hn::Mul(a, hn::Mul(b, b))))
POLYDOMAIN_BINARY(SquareGradient, hn::Mul(hn::Add(a, a), b))
POLYDOMAIN_BINARY(AbsGradient,
                  hn::IfThenZeroElse(hn::Eq(b, hn::Zero(d)),
                                     hn::IfThenElse(hn::Lt(b, hn::Zero(d)), hn::Neg(a), a)))
POLYDOMAIN_BINARY(SoftplusGradient, hn::Mul(a, sigmoid(d, b)))
POLYDOMAIN_BINARY(ClipGradient, hn::IfThenElseZero(hn::And(hn::Ge(b, hn::Set(d, parameters.p)),
                                                           hn::Le(b, hn::Set(d, parameters.q))),
                                                   a))
POLYDOMAIN_BINARY(ActivationGradient,
                  hn::IfThenElseZero(hn::Gt(b, hn::Zero(d)), hn::Mul(a, hn::Set(d, parameters.p))))

#undef POLYDOMAIN_UNARY
#undef POLYDOMAIN_BINARY

void unaryRange(Unary function, Parameters parameters, const float* x, float* y, int64_t count) {
  const Stream in{x};
  switch (function) {
    case Unary::kNeg:
      return transform(Neg{parameters}, count, y, in);
    case Unary::kExp:
      return transform(Exp{parameters}, count, y, in);
    case Unary::kLog:
      return transform(Log{parameters}, count, y, in);
    case Unary::kSqrt:
      return transform(Sqrt{parameters}, count, y, in);
    case Unary::kSquare:
      return transform(Square{parameters}, count, y, in);
    case Unary::kAbs:
      return transform(Abs{parameters}, count, y, in);
    case Unary::kRelu:
      return transform(Relu{parameters}, count, y, in);
    case Unary::kSigmoid:
      return transform(Sigmoid{parameters}, count, y, in);
    case Unary::kTanh:
      return transform(Tanh{parameters}, count, y, in);
    case Unary::kSoftplus:
      return transform(Softplus{parameters}, count, y, in);
    case Unary::kReciprocal:
      return transform(Reciprocal{parameters}, count, y, in);
    case Unary::kScale:
      return transform(Scale{parameters}, count, y, in);
    case Unary::kAddScalar:
      return transform(AddScalar{parameters}, count, y, in);
    case Unary::kClip:
      return transform(Clip{parameters}, count, y, in);
    case Unary::kPower:
      for (int64_t i = 0; i < count; ++i) {
        y[i] = static_cast<float>(
            std::pow(static_cast<double>(x[i]), static_cast<double>(parameters.p)));
      }
      return;
  }
}

template <class A, class B>
void binaryOperands(Binary function, Parameters parameters, A a, B b, float* c, int64_t count) {
  switch (function) {
    case Binary::kAdd:
      return transform(Add{parameters}, count, c, a, b);
    case Binary::kSub:
      return transform(Sub{parameters}, count, c, a, b);
    case Binary::kMul:
      return transform(Mul{parameters}, count, c, a, b);
    case Binary::kDiv:
      return transform(Div{parameters}, count, c, a, b);
    case Binary::kMaximum:
      return transform(Maximum{parameters}, count, c, a, b);
    case Binary::kMinimum:
      return transform(Minimum{parameters}, count, c, a, b);
    case Binary::kStep:
      return transform(Step{parameters}, count, c, a, b);
    default:
      break;
  }
  // Gradient functions take operands of one shape.
  if constexpr (std::is_same_v<A, Stream> && std::is_same_v<B, Stream>) {
    switch (function) {
      case Binary::kReluGradient:
        return transform(ReluGradient{parameters}, count, c, a, b);
      case Binary::kSigmoidGradient:
        return transform(SigmoidGradient{parameters}, count, c, a, b);
      case Binary::kTanhGradient:
        return transform(TanhGradient{parameters}, count, c, a, b);
      case Binary::kSqrtGradient:
        return transform(SqrtGradient{parameters}, count, c, a, b);
      case Binary::kReciprocalGradient:
        return transform(ReciprocalGradient{parameters}, count, c, a, b);
      case Binary::kSquareGradient:
        return transform(SquareGradient{parameters}, count, c, a, b);
      case Binary::kAbsGradient:
        return transform(AbsGradient{parameters}, count, c, a, b);
      case Binary::kSoftplusGradient:
        return transform(SoftplusGradient{parameters}, count, c, a, b);
      case Binary::kClipGradient:
        return transform(ClipGradient{parameters}, count, c, a, b);
      case Binary::kActivationGradient:
        return transform(ActivationGradient{parameters}, count, c, a, b);
      default:
        break;
    }
  }
}

void binaryRange(Binary function, Parameters parameters, const float* a, bool splatA,
                 const float* b, bool splatB, float* c, int64_t count) {
  if (splatA) return binaryOperands(function, parameters, Splat{*a}, Stream{b}, c, count);
  if (splatB) return binaryOperands(function, parameters, Stream{a}, Splat{*b}, c, count);
  binaryOperands(function, parameters, Stream{a}, Stream{b}, c, count);
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(unaryRange);
HWY_EXPORT(binaryRange);

void unary(ThreadPool& pool, Unary function, Parameters parameters, const float* x, float* y,
           int64_t count) {
  forChunks(pool, count, kChunkElements, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(unaryRange)(function, parameters, x + begin, y + begin, end - begin);
  });
}

BroadcastRuns mergeDimensions(const Shape& whole, const Shape& a, const Shape& b) {
  BroadcastRuns merged;
  for (size_t i = 0; i < whole.size(); ++i) {
    if (whole[i] == 1) continue;
    const size_t fromEnd = whole.size() - i;
    const bool repeatsA = fromEnd > a.size() || a[a.size() - fromEnd] == 1;
    const bool repeatsB = fromEnd > b.size() || b[b.size() - fromEnd] == 1;
    if (merged.count > 0) {
      BroadcastRuns::Run& last = merged.runs[merged.count - 1];
      if (last.repeatsA == repeatsA && last.repeatsB == repeatsB) {
        last.size *= whole[i];
        continue;
      }
    }
    merged.runs[merged.count++] = {whole[i], repeatsA, repeatsB};
  }
  if (merged.count == 0) merged.runs[merged.count++] = {1, false, false};
  return merged;
}

void binary(ThreadPool& pool, Binary function, Parameters parameters, const TensorView& a,
            const TensorView& b, const TensorView& c) {
  if (c.size() == 0) return;
  const BroadcastRuns merged = mergeDimensions(c.shape, a.shape, b.shape);
  const BroadcastRuns::Run inner = merged.runs[merged.count - 1];
  if (merged.count == 1) {
    forChunks(pool, inner.size, kChunkElements, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(binaryRange)
      (function, parameters, a.f32() + (inner.repeatsA ? 0 : begin), inner.repeatsA,
       b.f32() + (inner.repeatsB ? 0 : begin), inner.repeatsB, c.f32() + begin, end - begin);
    });
    return;
  }
  // Elements of a and b that one step of each outer run passes over.
  int64_t strideA[BroadcastRuns::kMaxRank];
  int64_t strideB[BroadcastRuns::kMaxRank];
  int64_t sizeA = inner.repeatsA ? 1 : inner.size;
  int64_t sizeB = inner.repeatsB ? 1 : inner.size;
  int64_t outer = 1;
  for (size_t i = merged.count - 1; i-- > 0;) {
    const BroadcastRuns::Run run = merged.runs[i];
    strideA[i] = run.repeatsA ? 0 : sizeA;
    strideB[i] = run.repeatsB ? 0 : sizeB;
    if (!run.repeatsA) sizeA *= run.size;
    if (!run.repeatsB) sizeB *= run.size;
    outer *= run.size;
  }
  forChunks(pool, outer, rowsPerChunk(inner.size), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row, offsetA = 0, offsetB = 0;
      for (size_t i = merged.count - 1; i-- > 0;) {
        const int64_t index = rest % merged.runs[i].size;
        rest /= merged.runs[i].size;
        offsetA += index * strideA[i];
        offsetB += index * strideB[i];
      }
      HWY_DYNAMIC_DISPATCH(binaryRange)
      (function, parameters, a.f32() + offsetA, inner.repeatsA, b.f32() + offsetB, inner.repeatsB,
       c.f32() + row * inner.size, inner.size);
    }
  });
}

void fill(ThreadPool& pool, float value, float* y, int64_t count) {
  forChunks(pool, count, kChunkElements,
            [&](int64_t begin, int64_t end) { std::fill(y + begin, y + end, value); });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
