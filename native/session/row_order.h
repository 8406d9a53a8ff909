#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "polydomain/session.h"
#include "row_stream.h"

namespace polydomain {

// Which rows of a split each step of a pass takes: one domain's, all domains' in one order, or as
// many of each domain. Shuffled by the pass's ordinal, or in a given order.
//
// Of a file, rows that do not fit one window are shuffled by blocks: the blocks come in random
// order, and so do the rows of all blocks in a window. Rows that fit one come as those in memory
// do. Of as many rows of each domain, those of a domain that has no more than its part of a window
// come as in memory, and others by blocks.
class RowOrder {
 public:
  RowOrder(int64_t batchSize, uint64_t seed) : batchSize_(batchSize), seed_(seed) {}

  // `given`: rows counted from base(). Throws Error(kConfig, kData), also for a given order of rows
  // that are in a file.
  void begin(const SplitData& split, const Command& command, int64_t pass,
             std::span<const int32_t> given);
  int64_t steps() const { return steps_; }
  // Valid until the next call.
  std::span<const int32_t> rows(int64_t step);
  // What rows() are rows of: the split, or a window of its file.
  const SplitData& source() const { return *source_; }
  // What rows() count from: the first row of the pass's domain, or of the source.
  int64_t base() const { return base_; }
  // Windows of files for whoever has no pass under way.
  RowStream& stream() { return stream_; }

 private:
  // A domain that shares in every step; its rows' shuffled order is a part of order_.
  struct Share {
    int32_t domain;
    RowRange range;      // in the split
    int64_t place;       // of its shuffled rows in order_; -1: they come by blocks
    int64_t repetition;  // of its rows, that they are shuffled for; -1: none yet
  };

  static RowRange shareOf(const Command& command, int64_t count);
  void shuffle(const Command& command, int64_t count);
  void beginWindows(const SplitData& split, const Command& command, RowRange range);
  void copy(std::span<const int32_t> given, int64_t count);
  void beginShares(const SplitData& split, const Command& command);
  void beginShareWindows(const SplitData& split, const Command& command);
  // The rows of the source from `begin` on are the domain's.
  void appendShare(Share& share, int64_t begin, int64_t step);

  int64_t batchSize_;
  uint64_t seed_;
  RowStream stream_;
  const SplitData* source_ = nullptr;
  int64_t windowRows_ = 0;  // of a pass that is shuffled by blocks; 0: it is not
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
