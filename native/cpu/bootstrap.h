#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// Mean exact AUC over the domains of several sets of scores on bootstrap resamples of their rows:
// [resamples x runs]. A resample draws, within each domain, as many positives and as many negatives
// as there are, with replacement (Efron and Tibshirani, 1993, chapter 8: one sample per class), and
// is the same for all runs. Rows are sorted by domain: those of domain d are offsets[d] to
// offsets[d + 1]. Domains without one of the classes are left out; NaN when none is left. Equal for
// any number of threads.
std::vector<double> bootstrapAucs(ThreadPool& pool, std::span<const float* const> runs,
                                  const float* labels, std::span<const int32_t> offsets,
                                  int64_t resamples, uint64_t seed);

}  // namespace polydomain::cpu
