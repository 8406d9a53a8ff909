#include "session/row_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

#include "failure.h"

namespace polydomain {
namespace {

constexpr int64_t kBatch = 12;

// Domains of 11, 0, 4 and 2 rows.
SplitData split() {
  SplitData split;
  split.rows = 17;
  split.domainOffsets = {0, 11, 11, 15, 17};
  return split;
}

Command blocks(int64_t rowsPerDomain = 0, bool shortest = false) {
  Command command{};
  command.kind = CommandKind::kRun;
  command.blocks = true;
  command.rowsPerDomain = rowsPerDomain;
  command.shortest = shortest;
  return command;
}

// Every row that a pass takes, by domain.
std::map<int32_t, std::vector<int32_t>> rowsByDomain(RowOrder& order, const SplitData& split) {
  std::map<int32_t, std::vector<int32_t>> rows;
  for (int64_t step = 0; step < order.steps(); ++step) {
    for (const int32_t row : order.rows(step)) rows[domainOfRow(split, row)].push_back(row);
  }
  return rows;
}

TEST(RowOrders, GiveEachDomainItsShareOfEveryStep) {
  const SplitData data = split();
  RowOrder order(kBatch, 3);
  order.begin(data, blocks(), 0, {});
  EXPECT_EQ(order.steps(), 3) << "of 4 rows of each of three domains, 11 rows in the largest";
  for (int64_t step = 0; step < order.steps(); ++step) {
    std::map<int32_t, int> counts;
    for (const int32_t row : order.rows(step)) ++counts[domainOfRow(data, row)];
    EXPECT_EQ(counts, (std::map<int32_t, int>{{0, 4}, {2, 4}, {3, 4}}));
  }
}

TEST(RowOrders, StartOverWithAFreshShuffle) {
  const SplitData data = split();
  RowOrder order(kBatch, 3);
  order.begin(data, blocks(), 0, {});
  const auto taken = rowsByDomain(order, data);
  // Three times all four rows, in orders that differ.
  std::vector<std::vector<int32_t>> turns;
  for (int turn = 0; turn < 3; ++turn) {
    const auto begin = taken.at(2).begin() + turn * 4;
    turns.emplace_back(begin, begin + 4);
    std::vector<int32_t> sorted = turns.back();
    std::ranges::sort(sorted);
    EXPECT_EQ(sorted, (std::vector<int32_t>{11, 12, 13, 14}));
  }
  EXPECT_FALSE(turns[0] == turns[1] && turns[1] == turns[2]);
  std::vector<int32_t> first(taken.at(0).begin(), taken.at(0).begin() + 11), all(11);
  std::ranges::sort(first);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(first, all);
}

TEST(RowOrders, EndWithTheSmallestDomainIfTold) {
  const SplitData data = split();
  RowOrder order(kBatch, 3);
  order.begin(data, blocks(1, true), 0, {});
  EXPECT_EQ(order.steps(), 2);
  EXPECT_EQ(order.rows(0).size(), 3u);
  order.begin(data, blocks(100), 0, {});
  EXPECT_EQ(order.steps(), 1);
  EXPECT_EQ(order.rows(0).size(), 300u);
}

TEST(RowOrders, TakeARowOfEachDomainWhereABatchHasLessRowsThanThereAreDomains) {
  const SplitData data = split();
  RowOrder order(2, 3);
  order.begin(data, blocks(), 0, {});
  EXPECT_EQ(order.steps(), 11);
  EXPECT_EQ(order.rows(0).size(), 3u);
}

TEST(RowOrders, FollowFromStepPassAndSeedAlone) {
  const SplitData data = split();
  RowOrder forward(kBatch, 3), from(kBatch, 3), other(kBatch, 4);
  forward.begin(data, blocks(1), 5, {});
  std::vector<std::vector<int32_t>> steps;
  for (int64_t step = 0; step < forward.steps(); ++step) {
    const auto rows = forward.rows(step);
    steps.emplace_back(rows.begin(), rows.end());
  }
  from.begin(data, blocks(1), 5, {});
  other.begin(data, blocks(1), 5, {});
  int differing = 0;
  for (const int64_t step : {9, 10, 2, 3, 0}) {
    const auto rows = from.rows(step);
    EXPECT_EQ(std::vector(rows.begin(), rows.end()), steps[static_cast<size_t>(step)]);
    const auto others = other.rows(step);
    differing += std::vector(others.begin(), others.end()) != steps[static_cast<size_t>(step)];
  }
  EXPECT_GT(differing, 0);
  from.begin(data, blocks(1), 6, {});
  const auto rows = rowsByDomain(from, data);
  forward.begin(data, blocks(1), 5, {});
  EXPECT_NE(rows, rowsByDomain(forward, data));
}

TEST(RowOrders, TakeRowsInAGivenOrder) {
  const SplitData data = split();
  RowOrder order(kBatch, 3);
  const std::vector<int32_t> given{0, 11, 15, 1, 12, 16};
  order.begin(data, blocks(1), 0, given);
  EXPECT_EQ(order.steps(), 2);
  const auto rows = order.rows(1);
  EXPECT_EQ(std::vector(rows.begin(), rows.end()), (std::vector<int32_t>{1, 12, 16}));
  Command one{};
  one.domain = 2;
  order.begin(data, one, 0, std::vector<int32_t>{3});
  EXPECT_EQ(order.base() + order.rows(0)[0], 14);
}

TEST(RowOrders, OfNoRowsHaveNoSteps) {
  SplitData data;
  data.domainOffsets = {0, 0, 0};
  RowOrder order(kBatch, 3);
  order.begin(data, blocks(), 0, {});
  EXPECT_EQ(order.steps(), 0);
}

TEST(RowOrders, RefuseSharesOfBlocks) {
  RowOrder order(kBatch, 3);
  Command command = blocks();
  command.shareTo = 0.5;
  EXPECT_EQ(kindOfFailure([&] { order.begin(split(), command, 0, {}); }), ErrorKind::kConfig);
}

}  // namespace
}  // namespace polydomain
