#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cpu/auc.h"
#include "polydomain/random.h"

namespace polydomain {
namespace {

// The definition: every positive against every negative.
double pairwiseAuc(const std::vector<float>& scores, const std::vector<float>& labels) {
  double right = 0.0, pairs = 0.0;
  for (size_t i = 0; i < scores.size(); ++i) {
    for (size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] < 0.5f || labels[j] > 0.5f) continue;
      pairs += 1.0;
      right += scores[i] > scores[j] ? 1.0 : scores[i] == scores[j] ? 0.5 : 0.0;
    }
  }
  return right / pairs;
}

TEST(Auc, EqualsTheDefinitionWithTies) {
  ThreadPool pool(3);
  for (const int64_t count : {2, 7, 300, 1500}) {
    std::vector<float> scores(static_cast<size_t>(count)), labels(scores.size());
    fillUniform({1, 2, static_cast<uint64_t>(count)}, 0, count, -1.0f, 1.0f, scores.data());
    for (float& score : scores) score = std::round(score * 20.0f) / 20.0f;
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = i % 3 == 0 ? 1.0f : 0.0f;
    EXPECT_DOUBLE_EQ(cpu::auc(pool, scores.data(), labels.data(), count),
                     pairwiseAuc(scores, labels));
  }
}

TEST(Auc, ManyRowsAreTheSameWithAnyNumberOfThreads) {
  constexpr int64_t kCount = 100'000;
  std::vector<float> scores(kCount), labels(kCount);
  fillUniform({1, 2, 3}, 0, kCount, 0.0f, 1.0f, scores.data());
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = scores[i] + 0.3f * (i % 5) > 1.0f;
  ThreadPool one(1), three(3);
  const double expected = cpu::auc(one, scores.data(), labels.data(), kCount);
  EXPECT_GT(expected, 0.5);
  EXPECT_EQ(cpu::auc(three, scores.data(), labels.data(), kCount), expected);
}

TEST(Auc, OneClassHasNone) {
  ThreadPool pool(1);
  const std::vector<float> scores = {0.1f, 0.2f}, labels = {1.0f, 1.0f};
  EXPECT_TRUE(std::isnan(cpu::auc(pool, scores.data(), labels.data(), 2)));
}

}  // namespace
}  // namespace polydomain
