#pragma once

#include <cstdint>

#include "polydomain/thread_pool.h"

// The k largest of the n values of each column, of equal ones the first, in the order in which they
// stand: k-max pooling (Kalchbrenner et al. 2014, section 3.2). A NaN counts as infinity does.
namespace polydomain::cpu {

struct KMaxShape {
  int64_t outer, n, inner, k;
};

// x [outer, n, inner] to y [outer, k, inner]; 1 <= k <= n.
void kMax(ThreadPool& pool, const KMaxShape& shape, const float* x, float* y);

// Gradient of x from that of y, g: zero where a value was not taken.
void kMaxGradient(ThreadPool& pool, const KMaxShape& shape, const float* g, const float* x,
                  float* out);

}  // namespace polydomain::cpu
