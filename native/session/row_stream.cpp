#include "row_stream.h"

#include <algorithm>
#include <utility>

namespace polydomain {

namespace {

// Ascending, with those joined that lie side by side.
std::vector<RowRange> inOrderOfTheFile(std::vector<RowRange> ranges) {
  std::ranges::sort(ranges, {}, &RowRange::begin);
  std::vector<RowRange> joined;
  for (const RowRange& range : ranges) {
    if (!joined.empty() && joined.back().begin + joined.back().count == range.begin) {
      joined.back().count += range.count;
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

// The rows of each domain among those of ascending ranges.
std::vector<int64_t> offsetsWithin(std::span<const RowRange> ranges,
                                   std::span<const int64_t> domainOffsets) {
  std::vector<int64_t> offsets;
  offsets.reserve(domainOffsets.size());
  size_t next = 0;
  int64_t before = 0;  // rows of the ranges that end before the domain begins
  for (const int64_t begin : domainOffsets) {
    while (next < ranges.size() && ranges[next].begin + ranges[next].count <= begin) {
      before += ranges[next++].count;
    }
    const int64_t inside =
        next < ranges.size() ? std::max<int64_t>(0, begin - ranges[next].begin) : 0;
    offsets.push_back(before + inside);
  }
  return offsets;
}

}  // namespace

std::vector<RowRange> slice(std::span<const RowRange> blocks, int64_t first, int64_t count) {
  std::vector<RowRange> ranges;
  for (const auto& [begin, size] : blocks) {
    if (count == 0) break;
    if (first >= size) {
      first -= size;
      continue;
    }
    const int64_t taken = std::min(count, size - first);
    ranges.push_back({begin + first, taken});
    count -= taken;
    first = 0;
  }
  return ranges;
}

RowStream::Plan consecutive(RowRange range, int64_t windowRows) {
  RowStream::Plan plan;
  plan.windows = (range.count + windowRows - 1) / windowRows;
  plan.ranges = [range, windowRows](int64_t index) {
    return slice(std::array{range}, index * windowRows, windowRows);
  };
  return plan;
}

void RowStream::begin(std::shared_ptr<const RowFile> file, Plan plan) {
  finish();
  file_ = std::move(file);
  plan_ = std::move(plan);
}

void RowStream::finish() {
  for (Slot& slot : slots_) {
    if (slot.reading.valid()) slot.reading.wait();
    slot.reading = {};
    slot.index = -1;
  }
}

const RowStream::Window& RowStream::window(int64_t index) {
  Slot& slot = slots_[static_cast<size_t>(index % 2)];
  Slot& other = slots_[static_cast<size_t>((index + 1) % 2)];
  if (slot.index != index) {
    if (slot.reading.valid()) slot.reading.wait();
    slot.reading = {};
    slot.index = -1;
    load(index, slot);
    slot.index = index;
  } else if (slot.reading.valid()) {
    slot.index = -1;  // unless it is read well
    slot.reading.get();
    slot.index = index;
  }
  if (index + 1 < plan_.windows && other.index != index + 1) {
    if (other.reading.valid()) other.reading.wait();
    other.index = index + 1;
    // Where no thread is to be had it is read when it is asked for.
    other.reading = std::async(std::launch::async | std::launch::deferred,
                               [this, index, &other] { load(index + 1, other); });
  }
  return slot.window;
}

void RowStream::load(int64_t index, Slot& slot) const {
  const std::vector<RowRange> ranges = inOrderOfTheFile(plan_.ranges(index));
  RowBuffer& buffer = slot.buffer;
  file_->read(ranges, buffer);
  SplitData& rows = slot.window.rows;
  rows.rows = std::ssize(buffer.labels);
  rows.ids.clear();
  for (const auto& ids : buffer.ids) rows.ids.push_back(ids.data());
  rows.numbers.clear();
  for (const auto& numbers : buffer.numbers) rows.numbers.push_back(numbers.data());
  rows.lists.clear();
  for (size_t i = 0; i < buffer.offsets.size(); ++i) {
    rows.lists.push_back({buffer.offsets[i].data(), buffer.values[i].data()});
  }
  rows.labels = buffer.labels.data();
  rows.weights = buffer.weights.empty() ? nullptr : buffer.weights.data();
  rows.domainOffsets.clear();
  if (!plan_.domainOffsets.empty()) {
    rows.domainOffsets = offsetsWithin(ranges, plan_.domainOffsets);
  }
  std::vector<int32_t>& order = slot.window.order;
  order.clear();
  if (!plan_.shuffle) return;
  order.reserve(static_cast<size_t>(rows.rows));
  plan_.shuffle(index, rows, order);
}

}  // namespace polydomain
