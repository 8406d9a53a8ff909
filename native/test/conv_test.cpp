#include "cpu/conv.h"

#include <gtest/gtest.h>

#include <vector>

#include "cpu/k_max.h"
#include "random_values.h"

namespace polydomain {
namespace {

using Values = std::vector<float>;

// Enough rows for many chunks of work.
TEST(Conv1d, IsTheSameForAnyNumberOfThreads) {
  constexpr int64_t kRows = 700, kIn = 3, kOut = 4, kWidth = 5, kLength = 20, kInner = 9;
  const cpu::Conv1dShape shape{kRows, kIn, kOut, kWidth, kLength, kInner};
  const Values x = randomValues(kRows * kIn * kLength * kInner, 1);
  const Values weight = randomValues(kOut * kIn * kWidth, 2);
  const Values g = randomValues(kRows * kOut * kLength * kInner, 3);
  const auto compute = [&](int threads) {
    ThreadPool pool(threads);
    std::vector<Values> all{Values(g.size()), Values(x.size()), Values(weight.size())};
    cpu::conv1d(pool, shape, x.data(), weight.data(), all[0].data());
    cpu::conv1dInputGradient(pool, shape, g.data(), weight.data(), all[1].data());
    cpu::conv1dWeightGradient(pool, shape, g.data(), x.data(), all[2].data());
    return all;
  };
  const std::vector<Values> alone = compute(1);
  for (const int threads : {2, 3}) EXPECT_EQ(compute(threads), alone) << threads;
}

TEST(KMax, IsTheSameForAnyNumberOfThreads) {
  constexpr int64_t kOuter = 600, kN = 12, kInner = 9, kK = 5;
  const cpu::KMaxShape shape{kOuter, kN, kInner, kK};
  const Values x = randomValues(kOuter * kN * kInner, 4);
  const Values g = randomValues(kOuter * kK * kInner, 5);
  const auto compute = [&](int threads) {
    ThreadPool pool(threads);
    std::vector<Values> all{Values(g.size()), Values(x.size())};
    cpu::kMax(pool, shape, x.data(), all[0].data());
    cpu::kMaxGradient(pool, shape, g.data(), x.data(), all[1].data());
    return all;
  };
  const std::vector<Values> alone = compute(1);
  for (const int threads : {2, 3}) EXPECT_EQ(compute(threads), alone) << threads;
}

}  // namespace
}  // namespace polydomain
