#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "k_max.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <limits>
#include <vector>

#include "chunks.h"
#include "k_max.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

using FloatTag = hn::ScalableTag<float>;

// Calls body(from, to) for each value that is taken: its place in x [n, inner] and that in y
// [k, inner]. A value is taken if fewer than k of its column come before it: larger ones, and equal
// ones in front of it.
template <class Body>
HWY_INLINE void forTaken(const KMaxShape& s, const float* x, const Body& body) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  // Two blocks of the thread at hand, kept: some columns without NaNs, and the ranks of their
  // values.
  thread_local std::vector<float> memory;
  memory.resize(std::max(memory.size(), static_cast<size_t>(2 * s.n * lanes)));
  float* columns = memory.data();
  float* ranks = columns + s.n * lanes;
  const auto one = hn::Set(d, 1.0f);
  const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  for (int64_t c = 0; c < s.inner; c += lanes) {
    const int64_t valid = std::min(lanes, s.inner - c);
    for (int64_t i = 0; i < s.n; ++i) {
      const float* from = x + i * s.inner + c;
      const auto values = valid == lanes ? hn::LoadU(d, from) : loadTail(d, from, valid);
      hn::StoreU(hn::IfThenElse(hn::Eq(values, values), values, infinity), d, columns + i * lanes);
    }
    for (int64_t i = 0; i < s.n; ++i) {
      const auto value = hn::LoadU(d, columns + i * lanes);
      auto rank = hn::Zero(d);
      for (int64_t j = 0; j < i; ++j) {
        const auto before = hn::Ge(hn::LoadU(d, columns + j * lanes), value);
        rank = hn::Add(rank, hn::IfThenElseZero(before, one));
      }
      for (int64_t j = i + 1; j < s.n; ++j) {
        const auto before = hn::Gt(hn::LoadU(d, columns + j * lanes), value);
        rank = hn::Add(rank, hn::IfThenElseZero(before, one));
      }
      hn::StoreU(rank, d, ranks + i * lanes);
    }
    const auto wanted = static_cast<float>(s.k);
    for (int64_t lane = 0; lane < valid; ++lane) {
      int64_t to = c + lane;
      for (int64_t i = 0; i < s.n; ++i) {
        if (ranks[i * lanes + lane] >= wanted) continue;
        body(i * s.inner + c + lane, to);
        to += s.inner;
      }
    }
  }
}

void kMaxOf(const KMaxShape& s, const float* x, float* y) {
  forTaken(s, x, [&](int64_t from, int64_t to) { y[to] = x[from]; });
}

void kMaxGradientOf(const KMaxShape& s, const float* g, const float* x, float* out) {
  std::fill(out, out + s.n * s.inner, 0.0f);
  forTaken(s, x, [&](int64_t from, int64_t to) { out[from] = g[to]; });
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(kMaxOf);
HWY_EXPORT(kMaxGradientOf);

void kMax(ThreadPool& pool, const KMaxShape& shape, const float* x, float* y) {
  const int64_t read = shape.n * shape.inner;
  forChunks(pool, shape.outer, rowsPerChunk(read), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      HWY_DYNAMIC_DISPATCH(kMaxOf)(shape, x + o * read, y + o * shape.k * shape.inner);
    }
  });
}

void kMaxGradient(ThreadPool& pool, const KMaxShape& shape, const float* g, const float* x,
                  float* out) {
  const int64_t read = shape.n * shape.inner;
  forChunks(pool, shape.outer, rowsPerChunk(read), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      HWY_DYNAMIC_DISPATCH(kMaxGradientOf)
      (shape, g + o * shape.k * shape.inner, x + o * read, out + o * read);
    }
  });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
