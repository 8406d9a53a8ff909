#pragma once

#include <cstdint>

#include "polydomain/random.h"
#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// y[i] = x[i] / keep where uniform(key, i) < keep, else 0 (inverted dropout; Srivastava et al.,
// JMLR 2014). The gradient is the same function of the output's gradient. y may be x.
void dropout(ThreadPool& pool, const RandomKey& key, float keep, const float* x, float* y,
             int64_t count);

}  // namespace polydomain::cpu
