#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// Exact area under the ROC curve: the probability that a random positive scores above a random
// negative, ties counting half (Hanley and McNeil, 1982). O(n log n). NaN when a class is missing.
// A label above 0.5 is positive; scores are finite.
double auc(ThreadPool& pool, const float* scores, const float* labels, int64_t count);

// The same for rows that come piece by piece. Of more than `held` rows, sorted runs of so many lie
// in a file without a name in `folder` (8 bytes a row) and are merged at the end: pairs are counted
// in integers, so the result has the same bits.
class Ranking {
 public:
  Ranking(ThreadPool& pool, int64_t held, std::string folder);
  ~Ranking();
  Ranking(const Ranking&) = delete;
  Ranking& operator=(const Ranking&) = delete;

  // Throws Error(kCheckpoint) where the folder cannot hold the file.
  void add(const float* scores, const float* labels, int64_t count);
  // Of all rows that were added; the end of them.
  double auc();

 private:
  void sort();
  void spill();
  double merged();
  [[noreturn]] void fail(const char* what, int why) const;

  ThreadPool& pool_;
  const size_t held_;
  const std::string folder_;
  std::vector<uint64_t> keys_, sorting_;
  int file_ = -1;
  std::vector<int64_t> runs_;  // ends in the file, counted in keys
};

// Mean binary cross entropy of probabilities, clipped to [1e-7, 1 - 1e-7] as Keras does. NaN for
// no rows.
double logLoss(const float* scores, const float* labels, int64_t count);

}  // namespace polydomain::cpu
