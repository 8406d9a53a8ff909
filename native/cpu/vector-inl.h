// Loops and elementary functions of the kernels, compiled once per SIMD level (Google Highway).
// Included again for every level, hence the guard that toggles.

#if defined(POLYDOMAIN_CPU_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYDOMAIN_CPU_VECTOR_INL_H_
#undef POLYDOMAIN_CPU_VECTOR_INL_H_
#else
#define POLYDOMAIN_CPU_VECTOR_INL_H_
#endif

#include <cstdint>
#include <cstring>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The first `count` lanes from memory and `fill` in the others: a tail is computed by the same
// vector code as the rest, so a value does not depend on its position.
template <class D>
HWY_INLINE hn::Vec<D> loadTail(D d, const hn::TFromD<D>* from, int64_t count,
                               hn::TFromD<D> fill = 0) {
  HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(D())];
  hn::Store(hn::Set(d, fill), d, lanes);
  std::memcpy(lanes, from, static_cast<size_t>(count) * sizeof(lanes[0]));
  return hn::Load(d, lanes);
}

template <class D>
HWY_INLINE void storeTail(D d, hn::Vec<D> value, hn::TFromD<D>* to, int64_t count) {
  HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(D())];
  hn::Store(value, d, lanes);
  std::memcpy(to, lanes, static_cast<size_t>(count) * sizeof(lanes[0]));
}

// Operands of an elementwise loop: values in memory, or one value for all elements.
struct Stream {
  const float* data;
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, int64_t i) const {
    return hn::LoadU(d, data + i);
  }
  template <class D>
  HWY_INLINE hn::Vec<D> loadLast(D d, int64_t i, int64_t count) const {
    return loadTail(d, data + i, count);
  }
};

struct Splat {
  float value;
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, int64_t) const {
    return hn::Set(d, value);
  }
  template <class D>
  HWY_INLINE hn::Vec<D> loadLast(D d, int64_t, int64_t) const {
    return hn::Set(d, value);
  }
};

// out[i] = function(operands[i]...) for i in [0, count).
template <class Function, class... Operands>
HWY_INLINE void transform(const Function& function, int64_t count, float* out,
                          const Operands&... operands) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(function(d, operands.load(d, i)...), d, out + i);
  }
  if (i < count) {
    storeTail(d, function(d, operands.loadLast(d, i, count - i)...), out + i, count - i);
  }
}

// x - n ln 2 = r in [-ln 2 / 2, ln 2 / 2]; returns e^r - 1. ln 2 is split in two so that n times
// its first part is exact.
template <class D, class V>
HWY_INLINE V expm1Reduced(D d, V x, V* n) {
  *n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504088896341f)));
  V r = hn::NegMulAdd(*n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(*n, hn::Set(d, -2.12194440054690583e-4f), r);
  // The Taylor series; its first neglected term is below 2^-27.
  V series = hn::Set(d, 1.0f / 5040.0f);
  series = hn::MulAdd(series, r, hn::Set(d, 1.0f / 720.0f));
  series = hn::MulAdd(series, r, hn::Set(d, 1.0f / 120.0f));
  series = hn::MulAdd(series, r, hn::Set(d, 1.0f / 24.0f));
  series = hn::MulAdd(series, r, hn::Set(d, 1.0f / 6.0f));
  series = hn::MulAdd(series, r, hn::Set(d, 0.5f));
  return hn::MulAdd(hn::Mul(series, r), r, r);
}

// 2^n of an integral n in [-126, 127].
template <class D, class V>
HWY_INLINE V powerOfTwo(D d, V n) {
  const hn::RebindToSigned<D> di;
  const auto biased = hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127));
  return hn::BitCast(d, hn::ShiftLeft<23>(biased));
}

// e^x within 2 ULP; 0 below -104, infinity above 88.73, NaN for NaN.
template <class D, class V>
HWY_INLINE V exp(D d, V x) {
  const V low = hn::Set(d, -104.0f);
  const V high = hn::Set(d, 89.0f);
  V n;
  const V p = expm1Reduced(d, hn::Min(hn::Max(x, low), high), &n);
  // 2^n itself may be out of range where the result is not: two factors.
  const V half = hn::Floor(hn::Mul(n, hn::Set(d, 0.5f)));
  const V y = hn::Mul(hn::Mul(hn::Add(p, hn::Set(d, 1.0f)), powerOfTwo(d, half)),
                      powerOfTwo(d, hn::Sub(n, half)));
  return hn::IfThenElse(hn::Eq(x, x), hn::IfThenZeroElse(hn::Lt(x, low), y), x);
}

// ln x within 2 ULP; -infinity at 0, NaN below. 2^e m = x with m in [sqrt(1/2), sqrt(2)), and
// ln m = 2 atanh(s) = f - s (f - r), where f = m - 1, s = f / (2 + f).
template <class D, class V>
HWY_INLINE V log(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const V zero = hn::Zero(d);
  const auto subnormal = hn::Lt(x, hn::Set(d, 1.17549435e-38f));
  const V normal = hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, 8388608.0f)), x);
  const auto bits = hn::BitCast(di, normal);
  // Counted from the bits of sqrt(1/2), the exponent field is already that of the wanted m.
  const auto offset = hn::Set(di, 0x3f3504f3);
  const auto exponent = hn::ShiftRight<23>(hn::Sub(bits, offset));
  const V m = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(exponent)));
  const V e = hn::Sub(hn::ConvertTo(d, exponent), hn::IfThenElseZero(subnormal, hn::Set(d, 23.0f)));
  const V f = hn::Sub(m, hn::Set(d, 1.0f));
  const V s = hn::Div(f, hn::Add(f, hn::Set(d, 2.0f)));
  const V z = hn::Mul(s, s);
  V r = hn::Set(d, 2.0f / 11.0f);
  r = hn::MulAdd(r, z, hn::Set(d, 2.0f / 9.0f));
  r = hn::MulAdd(r, z, hn::Set(d, 2.0f / 7.0f));
  r = hn::MulAdd(r, z, hn::Set(d, 2.0f / 5.0f));
  r = hn::MulAdd(r, z, hn::Set(d, 2.0f / 3.0f));
  r = hn::Mul(r, z);
  V y = hn::MulAdd(e, hn::Set(d, -2.12194440054690583e-4f), hn::NegMulAdd(s, hn::Sub(f, r), f));
  y = hn::MulAdd(e, hn::Set(d, 0.693359375f), y);
  y = hn::IfThenElse(hn::Eq(x, infinity), infinity, y);
  y = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), y);
  const V invalid = hn::Set(d, std::numeric_limits<float>::quiet_NaN());
  return hn::IfThenElse(hn::Ge(x, zero), y, invalid);
}

// ln(1 + x) for x >= 0: what rounding took from u = 1 + x comes back to first order.
template <class D, class V>
HWY_INLINE V log1p(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V u = hn::Add(x, one);
  return hn::Add(log(d, u), hn::Div(hn::Sub(x, hn::Sub(u, one)), u));
}

template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp(d, hn::Neg(x))));
}

// ln(1 + e^x) without overflow.
template <class D, class V>
HWY_INLINE V softplus(D d, V x) {
  // Max would drop a NaN of x; the sum keeps it through the second term.
  return hn::Add(hn::Max(x, hn::Zero(d)), log1p(d, exp(d, hn::Neg(hn::Abs(x)))));
}

// (e^2|x| - 1) / (e^2|x| + 1) with x's sign, accurate near 0 too.
template <class D, class V>
HWY_INLINE V tanh(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V twice = hn::Min(hn::Add(hn::Abs(x), hn::Abs(x)), hn::Set(d, 20.0f));
  V n;
  const V p = expm1Reduced(d, twice, &n);
  const V scale = powerOfTwo(d, n);
  const V em1 = hn::MulAdd(scale, p, hn::Sub(scale, one));
  const V y = hn::CopySign(hn::Div(em1, hn::Add(em1, hn::Set(d, 2.0f))), x);
  return hn::IfThenElse(hn::Eq(x, x), y, x);
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#endif
