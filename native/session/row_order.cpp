#include "row_order.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "polydomain/error.h"
#include "polydomain/random.h"

namespace polydomain {

namespace {

constexpr uint64_t kRowStream = streamOf("rows");
constexpr uint64_t kShareStream = streamOf("shares");

int64_t ceilDivide(int64_t count, int64_t by) { return (count + by - 1) / by; }

}  // namespace

int32_t domainOfRow(const SplitData& split, int32_t row) {
  const auto& offsets = split.domainOffsets;
  return static_cast<int32_t>(std::upper_bound(offsets.begin(), offsets.end(), row) -
                              offsets.begin()) -
         1;
}

RowRange rowsOf(const SplitData& split, int32_t domain) {
  const auto domains = static_cast<int64_t>(split.domainOffsets.size()) - 1;
  if (domain < 0 || domain >= domains) {
    throw Error(ErrorKind::kConfig, "domain " + std::to_string(domain) + "; expected 0 to " +
                                        std::to_string(domains - 1));
  }
  const int64_t begin = split.domainOffsets[static_cast<size_t>(domain)];
  return {begin, split.domainOffsets[static_cast<size_t>(domain) + 1] - begin};
}

void RowOrder::begin(const SplitData& split, const Command& command, int64_t pass,
                     std::span<const int32_t> given) {
  pass_ = pass;
  share_ = 0;
  shares_.clear();
  base_ = 0;
  stepRows_ = batchSize_;
  RowRange range{0, split.rows};
  if (command.blocks) {
    beginShares(split, command);
    if (given.empty()) return;
    share_ = 0;
  } else if (!command.mixed) {
    range = rowsOf(split, command.domain);
  }
  base_ = range.begin;
  if (given.empty()) {
    shuffle(command, range.count);
  } else {
    copy(given, range.count);
  }
  steps_ = ceilDivide(static_cast<int64_t>(order_.size()), std::max<int64_t>(1, stepRows_));
}

// The rows of the command's share of `count`.
void RowOrder::shuffle(const Command& command, int64_t count) {
  const auto border = [&](double share) {
    return std::clamp<int64_t>(std::llround(share * static_cast<double>(count)), 0, count);
  };
  const int64_t first = border(command.shareFrom);
  const int64_t rows = std::max<int64_t>(0, border(command.shareTo) - first);
  order_.resize(static_cast<size_t>(rows));
  fillPermutation({seed_, kRowStream, static_cast<uint64_t>(pass_)}, rows, order_.data());
  if (rows == count) return;
  subset_.resize(static_cast<size_t>(count));
  fillPermutation({seed_, kShareStream, static_cast<uint64_t>(command.domain)}, count,
                  subset_.data());
  for (int32_t& row : order_) row = subset_[static_cast<size_t>(first + row)];
}

void RowOrder::copy(std::span<const int32_t> given, int64_t count) {
  order_.assign(given.begin(), given.end());
  for (const int32_t row : order_) {
    if (row >= 0 && row < count) continue;
    throw Error(ErrorKind::kData, "row order: row " + std::to_string(row) + "; there are " +
                                      std::to_string(count) + " rows");
  }
}

void RowOrder::beginShares(const SplitData& split, const Command& command) {
  if (command.shareFrom != 0.0 || command.shareTo != 1.0) {
    throw Error(ErrorKind::kConfig,
                "a run of blocks takes whole domains; expected no shareFrom or shareTo");
  }
  int64_t longest = 0, shortest = split.rows;
  for (size_t d = 0; d + 1 < split.domainOffsets.size(); ++d) {
    const int64_t begin = split.domainOffsets[d];
    const int64_t count = split.domainOffsets[d + 1] - begin;
    if (count == 0) continue;
    shares_.push_back({static_cast<int32_t>(d), {begin, count}, -1});
    longest = std::max(longest, count);
    shortest = std::min(shortest, count);
  }
  const auto domains = static_cast<int64_t>(shares_.size());
  share_ = command.rowsPerDomain > 0
               ? command.rowsPerDomain
               : std::max<int64_t>(1, batchSize_ / std::max<int64_t>(1, domains));
  stepRows_ = share_ * domains;
  steps_ = ceilDivide(command.shortest ? shortest : longest, share_);
  order_.resize(static_cast<size_t>(split.rows));
}

std::span<const int32_t> RowOrder::rows(int64_t step) {
  if (share_ == 0) {
    const auto all = std::span<const int32_t>(order_);
    const auto begin = static_cast<size_t>(step * stepRows_);
    return all.subspan(begin, std::min(static_cast<size_t>(stepRows_), all.size() - begin));
  }
  batch_.clear();
  for (Share& share : shares_) appendShare(share, step);
  return batch_;
}

// A domain that has come to its end starts over with a fresh shuffle. What a step takes follows
// from its number alone, so that a pass can go on from any.
void RowOrder::appendShare(Share& share, int64_t step) {
  const auto [begin, count] = share.range;
  for (int64_t i = step * share_; i < (step + 1) * share_; ++i) {
    const int64_t repetition = i / count;
    if (share.repetition != repetition) {
      const std::string stream = "rows of domain " + std::to_string(share.domain) +
                                 ", repetition " + std::to_string(repetition);
      fillPermutation({seed_, streamOf(stream), static_cast<uint64_t>(pass_)}, count,
                      order_.data() + begin);
      share.repetition = repetition;
    }
    batch_.push_back(static_cast<int32_t>(begin) + order_[static_cast<size_t>(begin + i % count)]);
  }
}

}  // namespace polydomain
