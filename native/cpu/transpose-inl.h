// Transposes in registers, compiled once per SIMD level (Google Highway). Included again for every
// level, hence the guard that toggles.

#if defined(POLYDOMAIN_CPU_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYDOMAIN_CPU_TRANSPOSE_INL_H_
#undef POLYDOMAIN_CPU_TRANSPOSE_INL_H_
#else
#define POLYDOMAIN_CPU_TRANSPOSE_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// Four values of each of `lanes` rows of B, from their first ones on, turned to four columns.
template <class D>
struct Columns {
  hn::Vec<D> of[4];
};

// Rows 0, 4, 8, ... of B, a block of four values of each.
template <class D>
HWY_INLINE hn::Vec<D> everyFourthRow(D d, const float* b, int64_t ldb) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    return hn::LoadU(d, b);
  } else {
    const hn::Half<D> half;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    return hn::Combine(d, everyFourthRow(half, b + lanes / 2 * ldb, ldb),
                       everyFourthRow(half, b, ldb));
  }
}

template <class D>
HWY_INLINE Columns<D> fourColumns(D d, const float* b, int64_t ldb) {
  const hn::Repartition<uint64_t, D> pairs;
  const auto row0 = everyFourthRow(d, b, ldb);
  const auto row1 = everyFourthRow(d, b + ldb, ldb);
  const auto row2 = everyFourthRow(d, b + 2 * ldb, ldb);
  const auto row3 = everyFourthRow(d, b + 3 * ldb, ldb);
  const auto lower01 = hn::BitCast(pairs, hn::InterleaveLower(d, row0, row1));
  const auto lower23 = hn::BitCast(pairs, hn::InterleaveLower(d, row2, row3));
  const auto upper01 = hn::BitCast(pairs, hn::InterleaveUpper(d, row0, row1));
  const auto upper23 = hn::BitCast(pairs, hn::InterleaveUpper(d, row2, row3));
  return {{hn::BitCast(d, hn::InterleaveLower(pairs, lower01, lower23)),
           hn::BitCast(d, hn::InterleaveUpper(pairs, lower01, lower23)),
           hn::BitCast(d, hn::InterleaveLower(pairs, upper01, upper23)),
           hn::BitCast(d, hn::InterleaveUpper(pairs, upper01, upper23))}};
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#endif  // guard
