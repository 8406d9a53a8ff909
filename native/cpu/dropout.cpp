#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "dropout.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <cstring>

#include "chunks.h"
#include "dropout.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

// y = x / keep where the element's bits are below `kept`, else 0.
void keepRange(float keep, uint32_t kept, const float* x, const uint32_t* bits, float* y,
               int64_t count) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto scale = hn::Set(d, 1.0f / keep);
  const auto limit = hn::Set(du, kept);
  const auto scaled = [&](auto value, auto random) HWY_ATTR {
    return hn::IfThenElseZero(hn::RebindMask(d, hn::Lt(random, limit)), hn::Mul(value, scale));
  };
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(scaled(hn::LoadU(d, x + i), hn::LoadU(du, bits + i)), d, y + i);
  }
  if (i == count) return;
  storeTail(d, scaled(loadTail(d, x + i, count - i), loadTail(du, bits + i, count - i)), y + i,
            count - i);
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(keepRange);

void dropout(ThreadPool& pool, const RandomKey& key, float keep, const float* x, float* y,
             int64_t count) {
  if (keep >= 1.0f) {
    if (x == y) return;
    return forChunks(pool, count, kChunkElements, [&](int64_t begin, int64_t end) {
      std::memcpy(y + begin, x + begin, static_cast<size_t>(end - begin) * sizeof(float));
    });
  }
  const uint32_t kept = bitsBelow(keep);
  forChunks(pool, count, kChunkElements, [&](int64_t begin, int64_t end) {
    constexpr int64_t kBlock = 1024;  // bits stay in the first-level cache
    alignas(64) uint32_t bits[kBlock];
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t n = std::min(kBlock, end - at);
      fillBits(key, static_cast<uint64_t>(at), n, bits);
      HWY_DYNAMIC_DISPATCH(keepRange)(keep, kept, x + at, bits, y + at, n);
    }
  });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
