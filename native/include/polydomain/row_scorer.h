#pragma once

#include <memory>

#include "polydomain/program.h"

namespace polydomain {

// Scores rows one at a time on the caller's thread. What depends on nothing but the parameters and
// the row's domain (weights of its own, banks' slots, what its embedding contributes to a layer) is
// computed once and kept, weights in the order in which one row reads them. So a row costs its
// lookups and products alone, and has the bits that a Program gives it in any batch. Not
// thread-safe.
class RowScorer {
 public:
  // Domains used least recently are forgotten when more than `budget` bytes are kept of domains.
  static constexpr int64_t kBudget = int64_t{64} << 20;

  // `output`: the logits of a graph that a Program takes. Throws as that does.
  RowScorer(const Graph& graph, ParameterSpace& space, ValueId output, int64_t budget = kBudget);
  ~RowScorer();
  RowScorer(const RowScorer&) = delete;
  RowScorer& operator=(const RowScorer&) = delete;

  // The logit of the first row of run.inputs, which are in the order of the Program's inputNames();
  // also read are run.pool and run.overlay. `version` has to be another one whenever any value of
  // the space, own values of domains included, may have been written: what is kept is then made
  // anew.
  float score(const Program::Run& run, uint64_t version);
  int64_t keptBytes() const;  // of domains

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace polydomain
