#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <vector>

#include "attention.h"
#include "chunks.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

// Heads are narrow: a wider vector would hold little but the tail.
using HeadTag = hn::CappedTag<float, 8>;

HWY_INLINE float dot(const float* a, const float* b, int64_t dim) {
  const HeadTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    sum = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum);
  }
  if (i < dim) sum = hn::MulAdd(loadTail(d, a + i, dim - i), loadTail(d, b + i, dim - i), sum);
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// out = sum over g of weights[g * stride] * vectors[g * distance].
HWY_INLINE void weighted(const float* weights, int64_t stride, const float* vectors,
                         int64_t distance, int64_t count, int64_t dim, float* out) {
  const HeadTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < dim; i += lanes) {
    const int64_t left = std::min(lanes, dim - i);
    auto sum = hn::Zero(d);
    for (int64_t g = 0; g < count; ++g) {
      const float* from = vectors + g * distance + i;
      const auto vector = left == lanes ? hn::LoadU(d, from) : loadTail(d, from, left);
      sum = hn::MulAdd(hn::Set(d, weights[g * stride]), vector, sum);
    }
    if (left == lanes) {
      hn::StoreU(sum, d, out + i);
    } else {
      storeTail(d, sum, out + i, left);
    }
  }
}

struct Exponential {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return exp(d, x);
  }
};

// How much each field of a row attends to each: out [heads, fields, fields].
void weightsOf(const AttentionShape& shape, const float* query, const float* key, float* out) {
  const int64_t fields = shape.fields, dim = shape.dim, width = shape.width();
  for (int64_t head = 0; head < shape.heads; ++head) {
    for (int64_t f = 0; f < fields; ++f) {
      float* scores = out + (head * fields + f) * fields;
      for (int64_t g = 0; g < fields; ++g) {
        scores[g] = dot(query + f * width + head * dim, key + g * width + head * dim, dim);
      }
      float largest = scores[0];
      for (int64_t g = 1; g < fields; ++g) largest = std::max(largest, scores[g]);
      for (int64_t g = 0; g < fields; ++g) scores[g] -= largest;
    }
  }
  const int64_t count = shape.heads * fields * fields;
  transform(Exponential{}, count, out, Stream{out});
  for (float* scores = out; scores < out + count; scores += fields) {
    float sum = 0.0f;
    for (int64_t g = 0; g < fields; ++g) sum += scores[g];
    for (int64_t g = 0; g < fields; ++g) scores[g] /= sum;
  }
}

// `weights` [heads, fields, fields] is room to work in.
void attendRow(const AttentionShape& shape, const float* query, const float* key,
               const float* value, float* weights, float* out) {
  const int64_t fields = shape.fields, dim = shape.dim, width = shape.width();
  weightsOf(shape, query, key, weights);
  for (int64_t head = 0; head < shape.heads; ++head) {
    for (int64_t f = 0; f < fields; ++f) {
      weighted(weights + (head * fields + f) * fields, 1, value + head * dim, width, fields, dim,
               out + f * width + head * dim);
    }
  }
}

// `weights` [heads, fields, fields] and `scores` [fields, fields] are room to work in.
void attendGradientRow(const AttentionShape& shape, const float* gradient, const float* query,
                       const float* key, const float* value, float* weights, float* scores,
                       float* out) {
  const int64_t fields = shape.fields, dim = shape.dim, width = shape.width();
  weightsOf(shape, query, key, weights);
  for (int64_t head = 0; head < shape.heads; ++head) {
    const int64_t at = head * dim;
    const float* own = weights + head * fields * fields;
    // Softmax: d score = weight * (d weight - sum of weight * d weight).
    for (int64_t f = 0; f < fields; ++f) {
      float mean = 0.0f;
      for (int64_t g = 0; g < fields; ++g) {
        float& score = scores[f * fields + g];
        score = dot(gradient + f * width + at, value + g * width + at, dim);
        mean += own[f * fields + g] * score;
      }
      for (int64_t g = 0; g < fields; ++g) {
        scores[f * fields + g] = own[f * fields + g] * (scores[f * fields + g] - mean);
      }
    }
    for (int64_t f = 0; f < fields; ++f) {
      float* to = out + f * 3 * width + at;
      weighted(scores + f * fields, 1, key + at, width, fields, dim, to);
      weighted(scores + f, fields, query + at, width, fields, dim, to + width);
      weighted(own + f, fields, gradient + at, width, fields, dim, to + 2 * width);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(attendRow);
HWY_EXPORT(attendGradientRow);

void attention(ThreadPool& pool, const AttentionShape& shape, const float* query, const float* key,
               const float* value, float* out) {
  const int64_t size = shape.fields * shape.width();
  forChunks(pool, shape.rows, rowsPerChunk(size), [&](int64_t begin, int64_t end) {
    std::vector<float> weights(static_cast<size_t>(shape.heads * shape.fields * shape.fields));
    for (int64_t at = begin * size; at < end * size; at += size) {
      HWY_DYNAMIC_DISPATCH(attendRow)
      (shape, query + at, key + at, value + at, weights.data(), out + at);
    }
  });
}

void attentionGradient(ThreadPool& pool, const AttentionShape& shape, const float* gradient,
                       const float* query, const float* key, const float* value, float* out) {
  const int64_t size = shape.fields * shape.width();
  forChunks(pool, shape.rows, rowsPerChunk(size), [&](int64_t begin, int64_t end) {
    std::vector<float> weights(static_cast<size_t>(shape.heads * shape.fields * shape.fields));
    std::vector<float> scores(static_cast<size_t>(shape.fields * shape.fields));
    for (int64_t at = begin * size; at < end * size; at += size) {
      HWY_DYNAMIC_DISPATCH(attendGradientRow)
      (shape, gradient + at, query + at, key + at, value + at, weights.data(), scores.data(),
       out + 3 * at);
    }
  });
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
