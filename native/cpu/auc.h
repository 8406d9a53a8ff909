#pragma once

#include <cstdint>

#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// Exact area under the ROC curve: the probability that a random positive scores above a random
// negative, ties counting half (Hanley and McNeil, 1982). O(n log n). NaN when a class is missing.
// A label above 0.5 is positive; scores are finite.
double auc(ThreadPool& pool, const float* scores, const float* labels, int64_t count);

// Mean binary cross entropy of probabilities, clipped to [1e-7, 1 - 1e-7] as Keras does. NaN for
// no rows.
double logLoss(const float* scores, const float* labels, int64_t count);

}  // namespace polydomain::cpu
