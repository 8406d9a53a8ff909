#include "row_order.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "polydomain/error.h"
#include "polydomain/random.h"

namespace polydomain {

namespace {

constexpr uint64_t kRowStream = streamOf("rows");
constexpr uint64_t kShareStream = streamOf("shares");
constexpr uint64_t kBlockStream = streamOf("blocks");
constexpr uint64_t kWindowStream = streamOf("rows of windows");
constexpr uint64_t kShareBlockStream = streamOf("blocks of shares");
constexpr uint64_t kShareWindowStream = streamOf("rows of shares of windows");

// Blocks of a window: many, so that rows meet that lie far apart, of a size that is worth a read.
constexpr int64_t kBlocksOfWindow = 128, kSmallestBlock = 256;

int64_t ceilDivide(int64_t count, int64_t by) { return (count + by - 1) / by; }

std::vector<RowRange> permuted(const std::vector<RowRange>& blocks, const RandomKey& key) {
  std::vector<int32_t> order(blocks.size());
  fillPermutation(key, std::ssize(blocks), order.data());
  std::vector<RowRange> result;
  result.reserve(blocks.size());
  for (const int32_t block : order) result.push_back(blocks[static_cast<size_t>(block)]);
  return result;
}

// Of one domain's rows nobody asks whose they are.
std::span<const int64_t> domainsFor(const SplitData& split, const Command& command) {
  return command.mixed ? std::span(split.domainOffsets) : std::span<const int64_t>();
}

std::vector<RowRange> blocksOf(RowRange range, int64_t size) {
  std::vector<RowRange> blocks;
  for (int64_t begin = 0; begin < range.count; begin += size) {
    blocks.push_back({range.begin + begin, std::min(size, range.count - begin)});
  }
  return blocks;
}

int64_t blockSize(int64_t mixedRows) {
  return std::max(kSmallestBlock, ceilDivide(mixedRows, kBlocksOfWindow));
}

RandomKey numbered(RandomKey key, const std::string& what) {
  key.stream ^= streamOf(what);
  return key;
}

// Appends the rows [begin, begin + count) of blocks that come again and again, each time in a
// random order of its own.
void appendCycle(const std::vector<RowRange>& blocks, RowRange taken, const RandomKey& key,
                 std::vector<RowRange>& to) {
  int64_t size = 0;
  for (const RowRange& block : blocks) size += block.count;
  for (int64_t first = taken.begin; first < taken.begin + taken.count;) {
    const int64_t repetition = first / size;
    const int64_t count = std::min(taken.begin + taken.count, (repetition + 1) * size) - first;
    const RandomKey own = numbered(key, "repetition " + std::to_string(repetition));
    for (const RowRange& range : slice(permuted(blocks, own), first % size, count)) {
      to.push_back(range);
    }
    first += count;
  }
}

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
  stream_.finish();
  pass_ = pass;
  share_ = 0;
  shares_.clear();
  base_ = 0;
  stepRows_ = batchSize_;
  source_ = &split;
  windowRows_ = 0;
  RowRange range{0, split.rows};
  if (split.file && !given.empty()) {
    throw Error(ErrorKind::kConfig,
                "a given order of the rows cannot be read from disk block by block; expected a "
                "dataset in memory (without dataBudget, or with a larger one)");
  }
  if (command.blocks) {
    beginShares(split, command);
    if (split.file) beginShareWindows(split, command);
    if (given.empty()) return;
    share_ = 0;
  } else if (!command.mixed) {
    range = rowsOf(split, command.domain);
  }
  base_ = range.begin;
  if (split.file) {
    if (range.count > split.windowRows) return beginWindows(split, command, range);
    RowStream::Plan plan = consecutive(range, std::max<int64_t>(1, range.count));
    plan.domainOffsets = domainsFor(split, command);
    stream_.begin(split.file, std::move(plan));
    source_ = &stream_.window(0).rows;
    base_ = 0;
  }
  if (given.empty()) {
    shuffle(command, range.count);
  } else {
    copy(given, range.count);
  }
  steps_ = ceilDivide(static_cast<int64_t>(order_.size()), std::max<int64_t>(1, stepRows_));
}

// The command's share of `count` rows.
RowRange RowOrder::shareOf(const Command& command, int64_t count) {
  const auto border = [&](double share) {
    return std::clamp<int64_t>(std::llround(share * static_cast<double>(count)), 0, count);
  };
  const int64_t first = border(command.shareFrom);
  return {first, std::max<int64_t>(0, border(command.shareTo) - first)};
}

void RowOrder::shuffle(const Command& command, int64_t count) {
  const auto [first, rows] = shareOf(command, count);
  order_.resize(static_cast<size_t>(rows));
  fillPermutation({seed_, kRowStream, static_cast<uint64_t>(pass_)}, rows, order_.data());
  if (rows == count) return;
  subset_.resize(static_cast<size_t>(count));
  fillPermutation({seed_, kShareStream, static_cast<uint64_t>(command.domain)}, count,
                  subset_.data());
  for (int32_t& row : order_) row = subset_[static_cast<size_t>(first + row)];
}

// A domain's shares are parts of a fixed order of its blocks, as they are of its rows in memory.
void RowOrder::beginWindows(const SplitData& split, const Command& command, RowRange range) {
  const auto [first, share] = shareOf(command, range.count);
  const bool whole = share == range.count;
  const int64_t most = command.maxSteps > 0 ? command.maxSteps * batchSize_ : share;
  const int64_t windowRows = std::max(batchSize_, split.windowRows / batchSize_ * batchSize_);
  // A short pass takes small blocks, as it sees only few. Shares of a domain have to agree on them.
  const int64_t mixedRows = whole ? std::min(windowRows, most) : windowRows;
  std::vector<RowRange> blocks = blocksOf(range, blockSize(mixedRows));
  const auto domain = static_cast<uint64_t>(command.domain), pass = static_cast<uint64_t>(pass_);
  if (!whole) blocks = slice(permuted(blocks, {seed_, kShareStream, domain}), first, share);
  blocks = slice(permuted(blocks, {seed_, kBlockStream, pass}), 0, most);
  int64_t rows = 0;
  for (const RowRange& block : blocks) rows += block.count;
  steps_ = ceilDivide(rows, batchSize_);
  // Windows of one size: a small last one would have few blocks.
  const int64_t windows = std::max<int64_t>(1, ceilDivide(rows, windowRows));
  windowRows_ = std::max<int64_t>(1, ceilDivide(steps_, windows)) * batchSize_;
  base_ = 0;
  RowStream::Plan plan;
  plan.windows = ceilDivide(rows, windowRows_);
  plan.ranges = [blocks = std::move(blocks), size = windowRows_](int64_t index) {
    return slice(blocks, index * size, size);
  };
  plan.shuffle = [key = RandomKey{seed_, kWindowStream, pass}](
                     int64_t index, const SplitData& window, std::vector<int32_t>& order) {
    order.resize(static_cast<size_t>(window.rows));
    fillPermutation(numbered(key, "window " + std::to_string(index)), window.rows, order.data());
  };
  plan.domainOffsets = domainsFor(split, command);
  stream_.begin(split.file, std::move(plan));
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
    shares_.push_back({static_cast<int32_t>(d), {begin, count}, begin, -1});
    longest = std::max(longest, count);
    shortest = std::min(shortest, count);
  }
  const auto domains = static_cast<int64_t>(shares_.size());
  share_ = command.rowsPerDomain > 0
               ? command.rowsPerDomain
               : std::max<int64_t>(1, batchSize_ / std::max<int64_t>(1, domains));
  stepRows_ = share_ * domains;
  steps_ = ceilDivide(command.shortest ? shortest : longest, share_);
  if (!split.file) order_.resize(static_cast<size_t>(split.rows));
}

// A window has the rows of some steps, or all rows of a domain that has fewer.
void RowOrder::beginShareWindows(const SplitData& split, const Command& command) {
  const int64_t needed = command.maxSteps > 0 ? std::min(steps_, command.maxSteps) : steps_;
  const int64_t most = std::max<int64_t>(1, split.windowRows / std::max<int64_t>(1, stepRows_));
  const int64_t windows = std::max<int64_t>(1, ceilDivide(needed, most));
  const int64_t steps = std::max<int64_t>(1, ceilDivide(needed, windows));
  windowRows_ = steps * stepRows_;
  int64_t kept = 0;
  for (Share& share : shares_) {
    const bool fits = share.range.count <= steps * share_;
    share.place = fits ? kept : -1;
    if (fits) kept += share.range.count;
  }
  order_.resize(static_cast<size_t>(kept));
  RowStream::Plan plan;
  plan.windows = windows;
  const auto pass = static_cast<uint64_t>(pass_);
  plan.ranges = [shares = shares_, rows = steps * share_, all = needed * share_,
                 key = RandomKey{seed_, kShareBlockStream, pass}](int64_t index) {
    const int64_t first = index * rows;
    std::vector<RowRange> ranges;
    for (const Share& share : shares) {
      if (share.place >= 0) {
        ranges.push_back(share.range);
        continue;
      }
      const RandomKey own = numbered(key, "domain " + std::to_string(share.domain));
      const std::vector<RowRange> blocks = blocksOf(share.range, blockSize(rows));
      appendCycle(blocks, {first, std::min(rows, all - first)}, own, ranges);
    }
    return ranges;
  };
  plan.shuffle = [shares = shares_, key = RandomKey{seed_, kShareWindowStream, pass}](
                     int64_t index, const SplitData& window, std::vector<int32_t>& order) {
    order.resize(static_cast<size_t>(window.rows));
    for (const Share& share : shares) {
      const auto [begin, count] = rowsOf(window, share.domain);
      const std::string what =
          "window " + std::to_string(index) + ", domain " + std::to_string(share.domain);
      fillPermutation(numbered(key, what), count, order.data() + begin);
    }
  };
  plan.domainOffsets = split.domainOffsets;
  stream_.begin(split.file, std::move(plan));
}

std::span<const int32_t> RowOrder::rows(int64_t step) {
  if (share_ == 0) {
    std::span<const int32_t> all = order_;
    int64_t first = step * stepRows_;
    if (windowRows_ > 0) {
      const RowStream::Window& window = stream_.window(first / windowRows_);
      source_ = &window.rows;
      all = window.order;
      first %= windowRows_;
    }
    const auto begin = static_cast<size_t>(first);
    return all.subspan(begin, std::min(static_cast<size_t>(stepRows_), all.size() - begin));
  }
  batch_.clear();
  const RowStream::Window* window = nullptr;
  const int64_t windowSteps = windowRows_ > 0 ? windowRows_ / stepRows_ : steps_;
  if (windowRows_ > 0) {
    window = &stream_.window(step / windowSteps);
    source_ = &window->rows;
  }
  for (Share& share : shares_) {
    const int64_t begin = window ? rowsOf(window->rows, share.domain).begin : share.range.begin;
    if (share.place >= 0) {
      appendShare(share, begin, step);
    } else {
      const auto first = window->order.begin() + begin + step % windowSteps * share_;
      for (auto row = first; row != first + share_; ++row) {
        batch_.push_back(static_cast<int32_t>(begin) + *row);
      }
    }
  }
  return batch_;
}

// A domain that has come to its end starts over with a fresh shuffle. What a step takes follows
// from its number alone, so that a pass can go on from any.
void RowOrder::appendShare(Share& share, int64_t begin, int64_t step) {
  const int64_t count = share.range.count;
  for (int64_t i = step * share_; i < (step + 1) * share_; ++i) {
    const int64_t repetition = i / count;
    if (share.repetition != repetition) {
      const std::string stream = "rows of domain " + std::to_string(share.domain) +
                                 ", repetition " + std::to_string(repetition);
      fillPermutation({seed_, streamOf(stream), static_cast<uint64_t>(pass_)}, count,
                      order_.data() + share.place);
      share.repetition = repetition;
    }
    batch_.push_back(static_cast<int32_t>(begin) +
                     order_[static_cast<size_t>(share.place + i % count)]);
  }
}

}  // namespace polydomain
