#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "polydomain/session.h"

namespace polydomain {

struct RowRange {
  int64_t begin, count;
};

// Which rows of a split each step of a pass takes: one domain's, all domains' in one order, or as
// many of each domain. Shuffled by the pass's ordinal, or in a given order.
class RowOrder {
 public:
  RowOrder(int64_t batchSize, uint64_t seed) : batchSize_(batchSize), seed_(seed) {}

  // `given`: rows counted from base().
  void begin(const SplitData& split, const Command& command, int64_t pass,
             std::span<const int32_t> given);
  int64_t steps() const { return steps_; }
  // What rows() count from: the first row of the pass's domain, or of the split.
  int64_t base() const { return base_; }
  // Valid until the next call.
  std::span<const int32_t> rows(int64_t step);

 private:
  // A domain that shares in every step; its rows, shuffled, lie in order_ from `begin` on.
  struct Share {
    int32_t domain;
    RowRange range;
    int64_t repetition;  // of its rows, that they are shuffled for; -1: none yet
  };

  void shuffle(const Command& command, int64_t count);
  void copy(std::span<const int32_t> given, int64_t count);
  void beginShares(const SplitData& split, const Command& command);
  void appendShare(Share& share, int64_t step);

  int64_t batchSize_;
  uint64_t seed_;
  int64_t pass_ = 0, steps_ = 0, base_ = 0;
  int64_t stepRows_ = 0;  // of a step that is not the last
  int64_t share_ = 0;     // rows of each domain in a step; 0: steps are parts of order_
  std::vector<int32_t> order_, subset_, batch_;
  std::vector<Share> shares_;
};

// The domain that a row of the split is of.
int32_t domainOfRow(const SplitData& split, int32_t row);
// Throws Error(kConfig) for a domain that the split does not know.
RowRange rowsOf(const SplitData& split, int32_t domain);

}  // namespace polydomain
