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

// `weights` null: 1 in every row.
double bceSum(const float* logits, const float* labels, const float* weights, int64_t count) {
  const hn::ScalableTag<double> wide;
  const hn::Rebind<float, decltype(wide)> narrow;
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  auto sum = hn::Zero(wide);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    auto loss = crossEntropy(narrow, hn::LoadU(narrow, logits + i), hn::LoadU(narrow, labels + i));
    if (weights != nullptr) loss = hn::Mul(loss, hn::LoadU(narrow, weights + i));
    sum = hn::Add(sum, hn::PromoteTo(wide, loss));
  }
  if (i < count) {
    auto loss = crossEntropy(narrow, loadTail(narrow, logits + i, count - i),
                             loadTail(narrow, labels + i, count - i));
    if (weights != nullptr) loss = hn::Mul(loss, loadTail(narrow, weights + i, count - i));
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

struct WeightedBceGradient {
  float scale;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V z, V y, V w) const {
    return hn::Mul(BceGradient{scale}(d, z, y), w);
  }
};

void bceGradient(const float* logits, const float* labels, const float* weights, float scale,
                 float* out, int64_t count) {
  if (weights == nullptr) {
    transform(BceGradient{scale}, count, out, Stream{logits}, Stream{labels});
  } else {
    transform(WeightedBceGradient{scale}, count, out, Stream{logits}, Stream{labels},
              Stream{weights});
  }
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

const float* from(const float* weights, int64_t row) {
  return weights == nullptr ? nullptr : weights + row;
}

}  // namespace

float bceWithLogits(ThreadPool& pool, const float* logits, const float* labels,
                    const float* weights, int64_t rows) {
  if (rows == 0) return 0.0f;
  thread_local std::vector<double> memory;  // kept, so that a step allocates nothing
  std::vector<double>& partial = memory;    // that of the caller, in every worker
  partial.resize(static_cast<size_t>(chunkCount(rows, kBlock)));
  forChunks(pool, rows, kBlock, [&](int64_t begin, int64_t end) {
    partial[static_cast<size_t>(begin / kBlock)] = HWY_DYNAMIC_DISPATCH(bceSum)(
        logits + begin, labels + begin, from(weights, begin), end - begin);
  });
  double sum = 0.0;
  for (const double block : partial) sum += block;
  return static_cast<float>(sum / static_cast<double>(rows));
}

void bceWithLogitsGradient(ThreadPool& pool, const float* logits, const float* labels,
                           const float* weights, float scale, float* out, int64_t rows) {
  forChunks(pool, rows, kBlock, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(bceGradient)
    (logits + begin, labels + begin, from(weights, begin), scale, out + begin, end - begin);
  });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
