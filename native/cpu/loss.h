#pragma once

#include <cstdint>

#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// Mean binary cross entropy of logits z and labels y in [0, 1], in the form without overflow:
// max(z, 0) - z y + ln(1 + e^-|z|), times the row's weight unless `weights` is null. Sums in double
// over fixed blocks; 0 for no rows.
float bceWithLogits(ThreadPool& pool, const float* logits, const float* labels,
                    const float* weights, int64_t rows);

// out[i] = (sigmoid(z[i]) - y[i]) scale, times weights[i] unless they are null; out may be logits.
void bceWithLogitsGradient(ThreadPool& pool, const float* logits, const float* labels,
                           const float* weights, float scale, float* out, int64_t rows);

}  // namespace polydomain::cpu
