#pragma once

#include <cstdint>

#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// Values [rows, fields, heads, dim], rows behind each other.
struct AttentionShape {
  int64_t rows, fields, heads, dim;
  int64_t width() const { return heads * dim; }
};

// Of every row and head: out_f = sum over g of softmax over g (query_f . key_g) value_g.
void attention(ThreadPool& pool, const AttentionShape& shape, const float* query, const float* key,
               const float* value, float* out);

// The gradients of query, key and value side by side: out [rows, fields, 3, heads, dim].
void attentionGradient(ThreadPool& pool, const AttentionShape& shape, const float* gradient,
                       const float* query, const float* key, const float* value, float* out);

}  // namespace polydomain::cpu
