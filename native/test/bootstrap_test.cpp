#include "cpu/bootstrap.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "cpu/auc.h"
#include "polydomain/random.h"

namespace polydomain {
namespace {

constexpr std::array<int32_t, 4> kOffsets = {0, 300, 340, 345};
constexpr int64_t kRows = 345;

struct Rows {
  std::vector<float> labels, first, second;
};

// Three domains, the last one with negatives only; the first run has ties.
Rows makeRows() {
  Rows rows{std::vector<float>(kRows), std::vector<float>(kRows), std::vector<float>(kRows)};
  fillUniform({1, 2, 3}, 0, kRows, 0.0f, 1.0f, rows.first.data());
  fillUniform({1, 2, 4}, 0, kRows, 0.0f, 1.0f, rows.second.data());
  for (size_t i = 0; i < kRows; ++i) {
    rows.labels[i] = i < 340 && rows.first[i] + rows.second[i] > 1.2f ? 1.0f : 0.0f;
    rows.first[i] = std::round(rows.first[i] * 10.0f) / 10.0f;
  }
  return rows;
}

// The rows of one domain's class that a resample draws, by its definition.
std::vector<float> drawn(const std::vector<float>& scores, const std::vector<float>& labels,
                         size_t domain, uint64_t label, uint64_t resample) {
  std::vector<float> own;
  for (auto i = static_cast<size_t>(kOffsets[domain]);
       i < static_cast<size_t>(kOffsets[domain + 1]); ++i) {
    if ((labels[i] > 0.5f) == (label == 1)) own.push_back(scores[i]);
  }
  std::vector<float> sample;
  const RandomKey key{7, streamOf("resamples") ^ (2 * domain + label), resample};
  for (size_t i = 0; i < own.size(); ++i) {
    const uint64_t word = philox(key, i / 4)[i % 4];
    sample.push_back(own[word * own.size() >> 32]);
  }
  return sample;
}

TEST(Bootstrap, EqualsTheAucOfTheDrawnRows) {
  const Rows rows = makeRows();
  ThreadPool pool(2);
  constexpr int64_t kResamples = 37;
  const std::array<const float*, 2> runs = {rows.first.data(), rows.second.data()};
  const std::vector<double> means =
      cpu::bootstrapAucs(pool, runs, rows.labels.data(), kOffsets, kResamples, 7);
  ASSERT_EQ(means.size(), 2 * kResamples);
  for (uint64_t resample = 0; resample < kResamples; ++resample) {
    for (size_t run = 0; run < 2; ++run) {
      const std::vector<float>& scores = run == 0 ? rows.first : rows.second;
      double sum = 0.0;
      for (size_t domain = 0; domain < 2; ++domain) {
        std::vector<float> sample = drawn(scores, rows.labels, domain, 0, resample);
        std::vector<float> labels(sample.size(), 0.0f);
        const std::vector<float> positives = drawn(scores, rows.labels, domain, 1, resample);
        sample.insert(sample.end(), positives.begin(), positives.end());
        labels.resize(sample.size(), 1.0f);
        sum += cpu::auc(pool, sample.data(), labels.data(), static_cast<int64_t>(sample.size()));
      }
      EXPECT_NEAR(means[2 * resample + run], sum / 2.0, 1e-14);
    }
  }
}

TEST(Bootstrap, IsTheSameWithAnyNumberOfThreads) {
  const Rows rows = makeRows();
  ThreadPool one(1), three(3);
  const std::array<const float*, 1> runs = {rows.first.data()};
  EXPECT_EQ(cpu::bootstrapAucs(one, runs, rows.labels.data(), kOffsets, 100, 7),
            cpu::bootstrapAucs(three, runs, rows.labels.data(), kOffsets, 100, 7));
}

TEST(Bootstrap, WithoutBothClassesThereIsNone) {
  ThreadPool pool(1);
  const std::vector<float> scores = {0.1f, 0.2f}, labels = {1.0f, 1.0f};
  const std::array<const float*, 1> runs = {scores.data()};
  const std::array<int32_t, 2> offsets = {0, 2};
  EXPECT_TRUE(std::isnan(cpu::bootstrapAucs(pool, runs, labels.data(), offsets, 1, 0)[0]));
}

}  // namespace
}  // namespace polydomain
