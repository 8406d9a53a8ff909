#include "session/row_stream.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <set>
#include <vector>

#include "disk.h"
#include "failure.h"
#include "session/row_order.h"

namespace polydomain {
namespace {

constexpr int64_t kBatch = 64;
constexpr int64_t kListed = 3;  // ids of a row's list at most

// A file whose columns tell the row's number.
class Rows {
 public:
  explicit Rows(std::vector<int64_t> domainOffsets, int64_t windowRows)
      : path_(folder_ / "rows"), rows_(domainOffsets.back()) {
    std::vector<int32_t> ids(static_cast<size_t>(rows_)), offsets{0}, listed;
    std::vector<float> numbers, labels, weights;
    std::iota(ids.begin(), ids.end(), 0);
    for (int32_t row = 0; row < rows_; ++row) {
      numbers.push_back(static_cast<float>(row));
      numbers.push_back(static_cast<float>(row % 2));
      labels.push_back(static_cast<float>(row % 2));
      weights.push_back(static_cast<float>(row) / 2.0f);
      for (int32_t i = 0; i < row % (kListed + 1); ++i) listed.push_back(row);
      offsets.push_back(static_cast<int32_t>(listed.size()));
    }
    std::ofstream file(path_, std::ios::binary);
    file << "head";
    layout_.bytes = 4;
    const auto append = [&](const auto& values) {
      const int64_t at = layout_.bytes;
      const auto bytes = static_cast<int64_t>(values.size() * sizeof(values[0]));
      file.write(reinterpret_cast<const char*>(values.data()), bytes);
      layout_.bytes += bytes;
      return at;
    };
    layout_.rows = rows_;
    const auto size = static_cast<int32_t>(rows_);
    layout_.ids = {{append(ids), size}};
    layout_.numbers = {append(numbers)};
    const int64_t offsetsAt = append(offsets);
    layout_.lists = {{offsetsAt, append(listed), std::ssize(listed), size}};
    layout_.labels = append(labels);
    layout_.weights = append(weights);
    file.close();
    split_.rows = rows_;
    split_.domainOffsets = std::move(domainOffsets);
    split_.windowRows = windowRows;
    describe();
    open();
  }

  // The file is meant to be as it now is.
  void describe() {
    struct stat state {};
    ASSERT_EQ(::stat(path_.c_str(), &state), 0);
    layout_.modified = state.st_mtim.tv_sec * 1'000'000'000 + state.st_mtim.tv_nsec;
  }
  void open() { split_.file = std::make_shared<RowFile>(path_, layout_); }
  const SplitData& split() const { return split_; }
  const RowFile::Layout& layout() const { return layout_; }
  const std::string& path() const { return path_; }
  void put(int64_t at, const void* value) const {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(at);
    file.write(static_cast<const char*>(value), 4);
  }

 private:
  TemporaryFolder folder_;
  std::string path_;
  int64_t rows_;
  RowFile::Layout layout_;
  SplitData split_;
};

Command passOver(int32_t domain) {
  Command command{};
  command.kind = CommandKind::kRun;
  command.domain = domain;
  return command;
}

Command mixed() {
  Command command{};
  command.kind = CommandKind::kRun;
  command.mixed = true;
  return command;
}

// The rows of one step by their numbers in the split, with every column checked.
std::vector<int32_t> rowsOfStep(RowOrder& order, int64_t step) {
  std::vector<int32_t> rows;
  const std::span<const int32_t> taken = order.rows(step);
  const SplitData& source = order.source();
  for (const int32_t r : taken) {
    const int64_t at = order.base() + r;
    const int32_t row = source.ids[0][at];
    rows.push_back(row);
    EXPECT_EQ(source.labels[at], static_cast<float>(row % 2));
    EXPECT_EQ(source.weights[at], static_cast<float>(row) / 2.0f);
    EXPECT_EQ(source.numbers[0][2 * at], static_cast<float>(row));
    EXPECT_EQ(source.numbers[0][2 * at + 1], static_cast<float>(row % 2));
    const IdLists& lists = source.lists[0];
    EXPECT_EQ(lists.offsets[at + 1] - lists.offsets[at], row % (kListed + 1));
    for (int32_t i = lists.offsets[at]; i < lists.offsets[at + 1]; ++i) {
      EXPECT_EQ(lists.ids[i], row);
    }
  }
  return rows;
}

std::vector<int32_t> rowsOfPass(RowOrder& order) {
  std::vector<int32_t> rows;
  for (int64_t step = 0; step < order.steps(); ++step) {
    const auto own = rowsOfStep(order, step);
    EXPECT_TRUE(std::ssize(own) == kBatch || step + 1 == order.steps());
    rows.insert(rows.end(), own.begin(), own.end());
  }
  return rows;
}

std::vector<int32_t> rowsOfPass(const SplitData& split, const Command& command, int64_t pass) {
  RowOrder order(kBatch, 3);
  order.begin(split, command, pass, {});
  return rowsOfPass(order);
}

std::vector<int32_t> sorted(std::vector<int32_t> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<int32_t> range(int32_t begin, int32_t end) {
  std::vector<int32_t> rows(static_cast<size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

double correlation(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  const auto mean = [](const auto& v) {
    return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  };
  const double ma = mean(a), mb = mean(b);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

// Domains of 10,000, 0, 300 and 20,001 rows.
constexpr int32_t kRows = 30'301;
std::vector<int64_t> offsets() { return {0, 10'000, 10'000, 10'300, kRows}; }

TEST(RowStreams, GiveEveryRowOfADomainOnce) {
  // Windows are cut to whole batches: 1,000 become 960.
  for (const int64_t windowRows : {1, 1'000, 9'999, 10'000, 50'000}) {
    const Rows rows(offsets(), windowRows);
    const SplitData& split = rows.split();
    EXPECT_EQ(sorted(rowsOfPass(split, passOver(0), 0)), range(0, 10'000)) << windowRows;
    EXPECT_EQ(rowsOfPass(split, passOver(1), 0), range(0, 0));
    EXPECT_EQ(sorted(rowsOfPass(split, passOver(2), 0)), range(10'000, 10'300));
    EXPECT_EQ(sorted(rowsOfPass(split, passOver(3), 0)), range(10'300, kRows));
  }
}

TEST(RowStreams, KnowTheDomainsOfMixedRows) {
  const Rows rows(offsets(), 2'000);
  RowOrder order(kBatch, 3);
  order.begin(rows.split(), mixed(), 0, {});
  std::vector<int32_t> seen;
  for (int64_t step = 0; step < order.steps(); ++step) {
    const auto own = rowsOfStep(order, step);
    const auto taken = order.rows(step);
    for (size_t i = 0; i < own.size(); ++i) {
      EXPECT_EQ(domainOfRow(order.source(), taken[i]), domainOfRow(rows.split(), own[i]));
    }
    seen.insert(seen.end(), own.begin(), own.end());
  }
  EXPECT_EQ(sorted(seen), range(0, kRows));
}

TEST(RowStreams, ShuffleWhatFitsOneWindowAsIfItWereInMemory) {
  const Rows rows(offsets(), 10'000);
  SplitData memory = rows.split();
  memory.file = nullptr;
  Command share = passOver(0);
  share.shareFrom = 0.25;
  share.shareTo = 0.5;
  for (const Command& command : {passOver(0), passOver(2), share}) {
    RowOrder order(kBatch, 3);
    order.begin(memory, command, 7, {});
    std::vector<int32_t> expected;
    for (int64_t step = 0; step < order.steps(); ++step) {
      for (const int32_t row : order.rows(step)) {
        expected.push_back(static_cast<int32_t>(order.base()) + row);
      }
    }
    EXPECT_EQ(rowsOfPass(rows.split(), command, 7), expected);
  }
}

TEST(RowStreams, ShuffleEveryPassAnewAndBySeed) {
  const Rows rows(offsets(), 2'000);
  const auto first = rowsOfPass(rows.split(), passOver(3), 0);
  EXPECT_EQ(rowsOfPass(rows.split(), passOver(3), 0), first);
  EXPECT_NE(rowsOfPass(rows.split(), passOver(3), 1), first);
  RowOrder other(kBatch, 4);
  other.begin(rows.split(), passOver(3), 0, {});
  EXPECT_NE(rowsOfPass(other), first);
}

TEST(RowStreams, GoOnFromAnyStep) {
  const Rows rows(offsets(), 2'000);
  RowOrder whole(kBatch, 3);
  whole.begin(rows.split(), passOver(3), 5, {});
  std::vector<std::vector<int32_t>> steps;
  for (int64_t step = 0; step < whole.steps(); ++step) steps.push_back(rowsOfStep(whole, step));
  for (const int64_t from : {1, 30, 31, 62, 150, 312}) {
    RowOrder order(kBatch, 3);
    order.begin(rows.split(), passOver(3), 5, {});
    for (int64_t step = from; step < order.steps(); ++step) {
      EXPECT_EQ(rowsOfStep(order, step), steps[static_cast<size_t>(step)]) << from;
    }
  }
}

TEST(RowStreams, SpreadRowsOverThePass) {
  // 240,000 rows in windows of a sixteenth of them. Of a perfect shuffle the correlations'
  // deviation is 1 / sqrt(240,000) = 0.002, and blocks of 256 rows add to it: 1 / sqrt(938) =
  // 0.033.
  constexpr int32_t kMany = 240'000;
  const Rows rows({0, kMany}, 15'000);
  const auto first = rowsOfPass(rows.split(), passOver(0), 0);
  const auto second = rowsOfPass(rows.split(), passOver(0), 1);
  const auto steps = range(0, kMany);
  EXPECT_LT(std::abs(correlation(steps, first)), 0.1);
  EXPECT_LT(std::abs(correlation(first, second)), 0.1);
  // Rows that follow each other come from blocks that are independent, up to those of one block:
  // 1 in 58 of a window.
  const std::vector<int32_t> before(first.begin(), first.end() - 1);
  const std::vector<int32_t> after(first.begin() + 1, first.end());
  EXPECT_LT(std::abs(correlation(before, after)), 0.15);
  // A batch has rows of most of its window's 58 blocks, and of far more than one part of the file.
  for (size_t begin = 0; begin + kBatch <= first.size(); begin += kBatch) {
    std::set<int32_t> blocks;
    for (size_t i = begin; i < begin + kBatch; ++i) blocks.insert(first[i] / 256);
    ASSERT_GT(blocks.size(), 25u);
  }
}

TEST(RowStreams, SharesOfADomainAreItsPartsWithoutOverlap) {
  const Rows rows(offsets(), 2'000);
  Command support = passOver(3), query = passOver(3);
  support.shareTo = query.shareFrom = 0.3;
  support.maxSteps = 1'000;
  auto taken = rowsOfPass(rows.split(), support, 0);
  EXPECT_EQ(taken.size(), 6'000u);
  EXPECT_EQ(sorted(rowsOfPass(rows.split(), support, 1)), sorted(taken))
      << "the same in every pass";
  const auto others = rowsOfPass(rows.split(), query, 0);
  taken.insert(taken.end(), others.begin(), others.end());
  EXPECT_EQ(sorted(taken), range(10'300, kRows));
}

TEST(RowStreams, TakeShortPassesFromManyBlocks) {
  const Rows rows(offsets(), 5'000);
  Command command = passOver(3);
  command.maxSteps = 20;
  const auto taken = rowsOfPass(rows.split(), command, 0);
  EXPECT_EQ(taken.size(), 20u * kBatch);
  std::set<int32_t> blocks;
  for (const int32_t row : taken) blocks.insert((row - 10'300) / 256);
  EXPECT_EQ(blocks.size(), 5u);
}

Command balanced() {
  Command command{};
  command.kind = CommandKind::kRun;
  command.blocks = true;
  return command;
}

std::vector<std::vector<int32_t>> stepsOf(const SplitData& split, int64_t pass, int64_t from = 0) {
  RowOrder order(kBatch, 3);
  order.begin(split, balanced(), pass, {});
  std::vector<std::vector<int32_t>> steps;
  for (int64_t step = from; step < order.steps(); ++step) {
    steps.push_back({});
    const auto taken = order.rows(step);
    for (const int32_t row : taken) {
      steps.back().push_back(order.source().ids[0][row]);
      EXPECT_EQ(domainOfRow(order.source(), row), domainOfRow(split, steps.back().back()));
    }
  }
  return steps;
}

TEST(RowStreams, BalanceDomainsAsInMemoryWhereTheyFitAWindow) {
  const Rows rows(offsets(), 3 * 20'001 + 64);
  SplitData memory = rows.split();
  memory.file = nullptr;
  std::vector<int32_t> ids = range(0, kRows);
  memory.ids = {ids.data()};
  EXPECT_EQ(stepsOf(rows.split(), 4), stepsOf(memory, 4));
}

TEST(RowStreams, BalanceDomainsThatAreLargerThanAWindow) {
  for (const int64_t windowRows : {1, 1'000, 6'000, 30'000}) {
    const Rows rows(offsets(), windowRows);
    const auto steps = stepsOf(rows.split(), 0);
    constexpr int64_t kShare = kBatch / 3;  // one of the domains is empty
    ASSERT_EQ(std::ssize(steps), (20'001 + kShare - 1) / kShare);
    std::vector<int32_t> times(kRows, 0);
    for (const auto& step : steps) {
      ASSERT_EQ(std::ssize(step), 3 * kShare);
      EXPECT_LT(step[0], 10'000);
      EXPECT_LT(step[kShare], 10'300);
      EXPECT_GE(step[2 * kShare], 10'300);
      for (const int32_t row : step) ++times[static_cast<size_t>(row)];
    }
    // What comes again has come as often as the rest of its domain.
    for (const auto& [begin, end] : {std::pair{0, 10'000}, {10'000, 10'300}, {10'300, kRows}}) {
      const auto [least, most] = std::minmax_element(times.begin() + begin, times.begin() + end);
      EXPECT_GE(*least, 1);
      EXPECT_LE(*most - *least, 1) << windowRows << " from " << begin;
    }
  }
}

TEST(RowStreams, BalanceDomainsFromAnyStepAndInEveryPassAnew) {
  const Rows rows(offsets(), 6'000);
  const auto steps = stepsOf(rows.split(), 5);
  EXPECT_NE(stepsOf(rows.split(), 6), steps);
  for (const int64_t from : {1, 95, 96, 500}) {
    EXPECT_EQ(stepsOf(rows.split(), 5, from),
              std::vector<std::vector<int32_t>>(steps.begin() + from, steps.end()));
  }
}

TEST(RowStreams, RefuseOrdersThatJumpThroughTheFile) {
  const Rows rows(offsets(), 2'000);
  const std::vector<int32_t> given = {1, 0};
  RowOrder order(kBatch, 3);
  std::string message;
  EXPECT_EQ(kindOfFailure([&] { order.begin(rows.split(), passOver(0), 0, given); }, &message),
            ErrorKind::kConfig);
  EXPECT_NE(message.find("dataBudget"), std::string::npos) << message;
}

// What a pass over the largest domain throws.
std::optional<ErrorKind> failureOf(const Rows& rows, std::string* message = nullptr) {
  return kindOfFailure([&] { rowsOfPass(rows.split(), passOver(3), 0); }, message);
}

TEST(RowFiles, AreRefusedWhereTheyHoldWhatNoDatasetHas) {
  const Rows rows(offsets(), 2'000);
  const auto& layout = rows.layout();
  constexpr int64_t kRow = 20'000;
  const int32_t outside = kRows;
  const float half = 0.5f, negative = -1.0f, infinite = HUGE_VALF;
  const struct {
    int64_t at;
    const void* value;
    const char* what;
  } cases[] = {
      {layout.ids[0].at + 4 * kRow, &outside, "row 20000: categorical feature 0 is 30301"},
      {layout.numbers[0] + 8 * kRow, &infinite, "row 20000: numeric feature 0 is inf"},
      {layout.labels + 4 * kRow, &half, "row 20000: the label is 0.5"},
      {layout.weights + 4 * kRow, &negative, "row 20000: the weight is -1"},
      {layout.lists[0].offsets + 4 * kRow, &outside, "lists of another length"},
      {layout.lists[0].values + 4 * (layout.lists[0].count - 1), &outside, "a list holds id 30301"},
  };
  for (const auto& [at, value, what] : cases) {
    Rows spoilt(offsets(), 2'000);
    spoilt.put(at, value);
    spoilt.describe();
    spoilt.open();
    std::string message;
    EXPECT_EQ(failureOf(spoilt, &message), ErrorKind::kData) << what;
    EXPECT_NE(message.find(what), std::string::npos) << message;
    EXPECT_NE(message.find(spoilt.path()), std::string::npos) << message;
    // Of lists' offsets only where a block of them begins.
    const std::string place = at < layout.lists[0].offsets || at >= layout.lists[0].values
                                  ? "at byte " + std::to_string(at)
                                  : "at byte ";
    EXPECT_NE(message.find(place), std::string::npos) << message;
  }
}

TEST(RowFiles, AreRefusedWhenTheyChange) {
  Rows rows(offsets(), 2'000);
  std::string message;
  std::filesystem::resize_file(rows.path(), static_cast<uintmax_t>(rows.layout().bytes - 4));
  EXPECT_EQ(failureOf(rows, &message), ErrorKind::kData);
  EXPECT_NE(message.find("changed after it was opened"), std::string::npos) << message;
  EXPECT_EQ(kindOfFailure([&] { rows.open(); }, &message), ErrorKind::kData);
  EXPECT_NE(message.find(std::to_string(rows.layout().bytes) + " before"), std::string::npos);
  const Rows written(offsets(), 2'000);
  std::filesystem::last_write_time(
      written.path(), std::filesystem::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(failureOf(written), ErrorKind::kData);
  std::filesystem::remove(rows.path());
  EXPECT_EQ(kindOfFailure([&] { rows.open(); }, &message), ErrorKind::kData);
  EXPECT_NE(message.find("No such file"), std::string::npos) << message;
}

TEST(RowFiles, CanBeReadAgainAfterAFailure) {
  const Rows rows(offsets(), 2'000);
  const auto before = std::filesystem::last_write_time(rows.path());
  RowOrder order(kBatch, 3);
  std::filesystem::last_write_time(rows.path(), before + std::chrono::seconds(5));
  order.begin(rows.split(), passOver(3), 0, {});
  EXPECT_EQ(kindOfFailure([&] { rowsOfPass(order); }), ErrorKind::kData);
  std::filesystem::last_write_time(rows.path(), before);
  order.begin(rows.split(), passOver(3), 0, {});
  EXPECT_EQ(sorted(rowsOfPass(order)), range(10'300, kRows));
}

}  // namespace
}  // namespace polydomain
