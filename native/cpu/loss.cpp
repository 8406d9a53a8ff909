#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "loss.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <vector>

#include "chunks.h"
#include "loss.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

template <class D, class V>
HWY_INLINE V crossEntropy(D d, V z, V y) {
  const V positive = hn::Max(z, hn::Zero(d));
  return hn::Add(hn::NegMulAdd(z, y, positive), log1p(d, exp(d, hn::Neg(hn::Abs(z)))));
}

double bceSum(const float* logits, const float* labels, int64_t count) {
  const hn::ScalableTag<double> wide;
  const hn::Rebind<float, decltype(wide)> narrow;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  auto sum = hn::Zero(wide);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto loss =
        crossEntropy(narrow, hn::LoadU(narrow, logits + i), hn::LoadU(narrow, labels + i));
    sum = hn::Add(sum, hn::PromoteTo(wide, loss));
  }
  if (i < count) {
    const auto loss = crossEntropy(narrow, loadTail(narrow, logits + i, count - i),
                                   loadTail(narrow, labels + i, count - i));
    const auto valid = hn::FirstN(narrow, static_cast<size_t>(count - i));
    sum = hn::Add(sum, hn::PromoteTo(wide, hn::IfThenElseZero(valid, loss)));
  }
  return hn::GetLane(hn::SumOfLanes(wide, sum));
}

struct BceGradient {
  float scale;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V z, V y) const {
    return hn::Mul(hn::Sub(sigmoid(d, z), y), hn::Set(d, scale));
  }
};

void bceGradient(const float* logits, const float* labels, float scale, float* out, int64_t count) {
  transform(BceGradient{scale}, count, out, Stream{logits}, Stream{labels});
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(bceSum);
HWY_EXPORT(bceGradient);

namespace {

constexpr int64_t kBlock = 4096;  // a row costs two elementary functions

}  // namespace

float bceWithLogits(ThreadPool& pool, const float* logits, const float* labels, int64_t rows) {
  if (rows == 0) return 0.0f;
  thread_local std::vector<double> memory;  // kept, so that a step allocates nothing
  std::vector<double>& partial = memory;    // that of the caller, in every worker
  partial.resize(static_cast<size_t>(chunkCount(rows, kBlock)));
  forChunks(pool, rows, kBlock, [&](int64_t begin, int64_t end) {
    partial[static_cast<size_t>(begin / kBlock)] =
        HWY_DYNAMIC_DISPATCH(bceSum)(logits + begin, labels + begin, end - begin);
  });
  double sum = 0.0;
  for (const double block : partial) sum += block;
  return static_cast<float>(sum / static_cast<double>(rows));
}

void bceWithLogitsGradient(ThreadPool& pool, const float* logits, const float* labels, float scale,
                           float* out, int64_t rows) {
  forChunks(pool, rows, kBlock, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(bceGradient)
    (logits + begin, labels + begin, scale, out + begin, end - begin);
  });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
