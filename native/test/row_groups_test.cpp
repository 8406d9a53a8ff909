#include "cpu/row_groups.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "polydomain/random.h"

namespace polydomain {
namespace {

using Ids = std::vector<int32_t>;

// Group of each row, whether there are several or one.
Ids groupsOf(const cpu::RowGroups& groups, size_t rows) {
  const int32_t* of = groups.groupOfRows();
  return of == nullptr ? Ids(rows, 0) : Ids(of, of + rows);
}

TEST(RowGroups, AreNumberedAsTheirIdsAppear) {
  cpu::RowGroups groups;
  groups.build(Ids{7, 2, 7, 0, 2});
  EXPECT_EQ(groupsOf(groups, 5), (Ids{0, 1, 0, 2, 1}));
  ASSERT_EQ(groups.size(), 3);
  EXPECT_EQ(groups.firstRow(0), 0);
  EXPECT_EQ(groups.firstRow(1), 1);
  EXPECT_EQ(groups.firstRow(2), 3);
}

TEST(RowGroups, OneIdIsOneGroupAfterSeveralWereThere) {
  cpu::RowGroups groups;
  groups.build(Ids{1, 2, 3});
  groups.build(Ids{5, 5});
  EXPECT_EQ(groups.size(), 1);
  EXPECT_EQ(groups.firstRow(0), 0);
  EXPECT_EQ(groupsOf(groups, 2), (Ids{0, 0}));
}

class GroupSums : public testing::TestWithParam<int> {};

TEST_P(GroupSums, AreThoseOfTheirRowsWithAnyNumberOfThreads) {
  constexpr int64_t kRowCount = 3000, kWidth = 37;
  Ids ids(kRowCount);
  for (size_t r = 0; r < ids.size(); ++r) ids[r] = static_cast<int32_t>(r * 5 % 11) % GetParam();
  std::vector<float> x(kRowCount * kWidth);
  fillUniform({1, 2, 3}, 0, std::ssize(x), -1.0f, 1.0f, x.data());
  cpu::RowGroups groups;
  groups.build(ids);
  ASSERT_EQ(groups.size(), GetParam());
  ThreadPool one(1), three(3);
  std::vector<float> sums(static_cast<size_t>(groups.size() * kWidth)), again = sums;
  groups.sum(one, x.data(), kWidth, sums.data());
  groups.sum(three, x.data(), kWidth, again.data());
  EXPECT_EQ(sums, again);
  std::vector<double> expected(sums.size());
  const Ids of = groupsOf(groups, ids.size());
  for (size_t r = 0; r < ids.size(); ++r) {
    for (size_t c = 0; c < kWidth; ++c) {
      expected[static_cast<size_t>(of[r]) * kWidth + c] += static_cast<double>(x[r * kWidth + c]);
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    EXPECT_NEAR(sums[i], expected[i], kRowCount * 0x1p-24) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, GroupSums, testing::Values(1, 2, 11),
                         [](const auto& test) { return std::to_string(test.param) + "Groups"; });

}  // namespace
}  // namespace polydomain
