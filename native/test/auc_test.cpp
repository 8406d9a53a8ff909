#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cpu/auc.h"
#include "disk.h"
#include "failure.h"
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

struct Rows {
  std::vector<float> scores, labels;
  int64_t count() const { return std::ssize(scores); }
};

// `levels` different scores: few of them are many ties.
Rows randomRows(int64_t count, float levels) {
  Rows rows{std::vector<float>(static_cast<size_t>(count)), {}};
  fillUniform({4, 2, static_cast<uint64_t>(count)}, 0, count, -2.0f, 2.0f, rows.scores.data());
  for (size_t i = 0; i < rows.scores.size(); ++i) {
    rows.labels.push_back(rows.scores[i] + static_cast<float>(i % 7) > 2.5f ? 1.0f : 0.0f);
    rows.scores[i] = std::round(rows.scores[i] * levels) / levels;
  }
  return rows;
}

double rankedAuc(ThreadPool& pool, const Rows& rows, int64_t held, int64_t piece,
                 const std::string& folder) {
  cpu::Ranking ranking(pool, held, folder);
  for (int64_t at = 0; at < rows.count(); at += piece) {
    ranking.add(rows.scores.data() + at, rows.labels.data() + at,
                std::min(piece, rows.count() - at));
  }
  return ranking.auc();
}

TEST(Ranking, OfRunsInAFileHasTheBitsOfOneInMemory) {
  const TemporaryFolder folder;
  ThreadPool pool(2);
  for (const float levels : {0.5f, 20.0f, 1e7f}) {
    Rows rows = randomRows(30'000, levels);
    for (const bool sorted : {false, true}) {
      // Runs that do not overlap, and many rows of one score in several of them.
      if (sorted) std::ranges::sort(rows.scores);
      const double expected = cpu::auc(pool, rows.scores.data(), rows.labels.data(), rows.count());
      for (const int64_t held : {1, 100, 4096, 29'999, 30'000, 50'000}) {
        if (held == 1 && sorted) continue;  // a run for every row is slow
        EXPECT_EQ(rankedAuc(pool, rows, held, 999, folder / ""), expected)
            << held << " of " << levels;
      }
    }
  }
  EXPECT_EQ(folder.files(), 0u);
}

TEST(Ranking, OfOneClassOrNoRowsHasNone) {
  const TemporaryFolder folder;
  ThreadPool pool(1);
  Rows rows = randomRows(1000, 1e7f);
  std::ranges::fill(rows.labels, 0.0f);
  EXPECT_TRUE(std::isnan(rankedAuc(pool, rows, 100, 64, folder / "")));
  EXPECT_TRUE(std::isnan(rankedAuc(pool, {}, 100, 64, folder / "")));
}

TEST(Ranking, NamesAFolderThatCannotHoldTheRuns) {
  const TemporaryFolder folder;
  ThreadPool pool(1);
  const Rows rows = randomRows(10'000, 1e7f);
  const auto failure = [&](const std::string& where) {
    std::string message;
    const auto kind = kindOfFailure([&] { rankedAuc(pool, rows, 1000, 64, where); }, &message);
    EXPECT_EQ(kind, ErrorKind::kCheckpoint);
    EXPECT_NE(message.find("'" + where + "'"), std::string::npos) << message;
    return message;
  };
  EXPECT_NE(failure(folder / "missing").find("No such file"), std::string::npos);
  const FullDisk disk(20'000);
  EXPECT_NE(failure(folder / "").find("File too large; expected room for 8 bytes"),
            std::string::npos);
}

}  // namespace
}  // namespace polydomain
