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

struct Keep {
  float keep, scale;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V uniform) const {
    return hn::IfThenElseZero(hn::Lt(uniform, hn::Set(d, keep)), hn::Mul(x, hn::Set(d, scale)));
  }
};

void keepRange(float keep, const float* x, const float* uniform, float* y, int64_t count) {
  transform(Keep{keep, 1.0f / keep}, count, y, Stream{x}, Stream{uniform});
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
  forChunks(pool, count, kChunkElements, [&](int64_t begin, int64_t end) {
    constexpr int64_t kBlock = 1024;  // uniforms stay in the first-level cache
    alignas(64) float uniform[kBlock];
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t n = std::min(kBlock, end - at);
      fillUniform(key, static_cast<uint64_t>(at), n, 0.0f, 1.0f, uniform);
      HWY_DYNAMIC_DISPATCH(keepRange)(keep, x + at, uniform, y + at, n);
    }
  });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
