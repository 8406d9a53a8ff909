#include "polydomain/row_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <functional>
#include <utility>

#include "polydomain/error.h"

namespace polydomain {

namespace {

constexpr int64_t kValue = 4;  // bytes

struct FileState {
  int64_t bytes, modified;
};

FileState stateOf(int file) {
  struct stat state {};
  if (::fstat(file, &state) != 0) return {-1, 0};
  return {state.st_size, state.st_mtim.tv_sec * 1'000'000'000 + state.st_mtim.tv_nsec};
}

int64_t rowsOf(std::span<const RowRange> ranges) {
  int64_t rows = 0;
  for (const RowRange& range : ranges) rows += range.count;
  return rows;
}

// Room for `count` values and no more, as buffers are as large as memory allows.
template <typename Value>
Value* sized(std::vector<Value>& values, int64_t count) {
  values.reserve(static_cast<size_t>(count));
  values.resize(static_cast<size_t>(count));
  return values.data();
}

// The row of the split that is row `row` of the ranges.
int64_t rowOf(std::span<const RowRange> ranges, int64_t row) {
  for (const RowRange& range : ranges) {
    if (row < range.count) return range.begin + row;
    row -= range.count;
  }
  return -1;
}

std::string atByte(int64_t at) { return " at byte " + std::to_string(at); }

// The first value that is not as it has to be, or -1. Without branches in the usual case, so that
// compilers vectorise it.
template <typename Value, typename Valid>
int64_t firstInvalid(const Value* values, int64_t count, Valid valid) {
  bool all = true;
  for (int64_t i = 0; i < count; ++i) all = all & valid(values[i]);
  return all ? -1 : std::find_if_not(values, values + count, valid) - values;
}

}  // namespace

RowFile::RowFile(std::string path, Layout layout)
    : path_(std::move(path)), layout_(std::move(layout)) {
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) fail(std::string("cannot be opened: ") + std::strerror(errno));
  try {
    requireUnchanged();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

RowFile::~RowFile() { ::close(file_); }

void RowFile::fail(const std::string& what) const {
  throw Error(ErrorKind::kData, "'" + path_ + "' " + what);
}

void RowFile::requireUnchanged() const {
  const FileState state = stateOf(file_);
  if (state.bytes == layout_.bytes && state.modified == layout_.modified) return;
  fail("changed after it was opened (" + std::to_string(state.bytes) + " bytes, " +
       std::to_string(layout_.bytes) + " before); expected it to stay as it is");
}

void RowFile::readAt(int64_t at, int64_t count, void* into) const {
  auto* to = static_cast<char*>(into);
  for (int64_t left = count * kValue; left > 0;) {
    const ssize_t got = ::pread(file_, to, static_cast<size_t>(left), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot be read" + atByte(at) + ": " + std::strerror(errno));
    if (got == 0) fail("ends early" + atByte(at) + ": it changed after it was opened");
    to += got;
    at += got;
    left -= got;
  }
}

void RowFile::read(std::span<const RowRange> ranges, RowBuffer& into) const {
  requireUnchanged();
  const int64_t rows = rowsOf(ranges);
  // `width` values of each row.
  const auto column = [&](int64_t at, auto& values, int64_t width) {
    auto* to = sized(values, rows * width);
    for (const auto& [begin, count] : ranges) {
      readAt(at + begin * width * kValue, count * width, to);
      to += count * width;
    }
  };
  const auto require = [&](int64_t at, const auto& values, int64_t width, auto valid,
                           const std::string& what) {
    const int64_t bad = firstInvalid(values.data(), rows * width, valid);
    if (bad < 0) return;
    const int64_t row = rowOf(ranges, bad / width);
    fail("row " + std::to_string(row) + ": " + what + " is " +
         std::to_string(values[static_cast<size_t>(bad)]) +
         atByte(at + (row * width + bad % width) * kValue) + ", which Dataset.save never writes");
  };
  const auto finite = [](float value) { return std::abs(value) < HUGE_VALF; };
  into.ids.resize(layout_.ids.size());
  for (size_t i = 0; i < layout_.ids.size(); ++i) {
    const auto [at, size] = layout_.ids[i];
    column(at, into.ids[i], 1);
    require(
        at, into.ids[i], 1,
        [size = size](int32_t id) {
          return static_cast<uint32_t>(id) < static_cast<uint32_t>(size);
        },
        "categorical feature " + std::to_string(i));
  }
  into.numbers.resize(layout_.numbers.size());
  for (size_t i = 0; i < layout_.numbers.size(); ++i) {
    column(layout_.numbers[i], into.numbers[i], 2);
    require(layout_.numbers[i], into.numbers[i], 2, finite, "numeric feature " + std::to_string(i));
  }
  into.offsets.resize(layout_.lists.size());
  into.values.resize(layout_.lists.size());
  for (size_t i = 0; i < layout_.lists.size(); ++i) {
    readLists(layout_.lists[i], ranges, into.offsets[i], into.values[i]);
  }
  column(layout_.labels, into.labels, 1);
  require(
      layout_.labels, into.labels, 1, [](float label) { return (label == 0.0f) | (label == 1.0f); },
      "the label");
  into.weights.clear();
  if (layout_.weights >= 0) {
    column(layout_.weights, into.weights, 1);
    require(
        layout_.weights, into.weights, 1,
        [](float weight) { return (weight >= 0.0f) & (weight < HUGE_VALF); }, "the weight");
  }
}

void RowFile::readLists(const Lists& lists, std::span<const RowRange> ranges,
                        std::vector<int32_t>& offsets, std::vector<int32_t>& values) const {
  const int64_t rows = rowsOf(ranges);
  // One place more than the rows: a range's last offset is overwritten by the next one's first.
  int32_t* to = sized(offsets, rows + 1);
  to[0] = 0;
  // Of each range: where its values begin in the file, and how many they are.
  std::vector<RowRange> pieces;
  int64_t total = 0;
  const auto foreign = [&](int64_t begin) {
    fail("row " + std::to_string(begin) + " and the rows behind it have lists of another length" +
         atByte(lists.offsets + begin * kValue) + " than Dataset.save writes");
  };
  for (const auto& [begin, count] : ranges) {
    readAt(lists.offsets + begin * kValue, count + 1, to);
    const int32_t first = to[0];
    if (first < 0 || to[count] > lists.count || !std::is_sorted(to, to + count + 1)) foreign(begin);
    const int64_t size = to[count] - first;
    // Counted from the first value that is read.
    for (int64_t r = 0; r <= count; ++r) to[r] += static_cast<int32_t>(total) - first;
    pieces.push_back({first, size});
    total += size;
    to += count;
  }
  int32_t* into = sized(values, total);
  for (const auto& [begin, count] : pieces) {
    readAt(lists.values + begin * kValue, count, into);
    into += count;
  }
  const auto size = static_cast<uint32_t>(lists.size);
  const int64_t bad = firstInvalid(values.data(), total,
                                   [size](int32_t id) { return static_cast<uint32_t>(id) < size; });
  if (bad < 0) return;
  fail("a list holds id " + std::to_string(values[static_cast<size_t>(bad)]) +
       atByte(lists.values + rowOf(pieces, bad) * kValue) + "; expected 0 to " +
       std::to_string(lists.size - 1));
}

}  // namespace polydomain
