#include "bootstrap.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <numeric>

#include "chunks.h"
#include "polydomain/random.h"

namespace polydomain::cpu {

namespace {

constexpr uint64_t kResampleStream = streamOf("resamples");
// Resamples that share one walk over the rows.
constexpr int kLanes = 16;
using Lanes = std::array<int32_t, kLanes>;

// One row in the order of a run's scores.
struct Ranked {
  uint32_t row : 30;
  uint32_t positive : 1;
  uint32_t first : 1;  // of those with its score
};

// The rows of a domain by ascending score; sorted once for all resamples.
std::vector<Ranked> rank(const float* scores, const float* labels, int64_t count) {
  std::vector<uint32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return scores[a] != scores[b] ? scores[a] < scores[b] : a < b;
  });
  std::vector<Ranked> ranked(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const bool first = i == 0 || scores[order[i]] != scores[order[i - 1]];
    ranked[i] = {order[i], labels[order[i]] > 0.5f ? 1u : 0u, first ? 1u : 0u};
  }
  return ranked;
}

// How often each row is drawn, for kLanes resamples from the given one on.
void draw(const std::vector<uint32_t>& rows, uint64_t seed, uint64_t stream, int64_t firstResample,
          std::vector<Lanes>& counts) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const RandomKey key{seed, kResampleStream ^ stream,
                        static_cast<uint64_t>(firstResample + lane)};
    for (size_t i = 0; i < rows.size(); i += 4) {
      const std::array<uint32_t, 4> words = philox(key, i / 4);
      for (size_t j = 0; j < std::min<size_t>(4, rows.size() - i); ++j) {
        const uint64_t drawn = static_cast<uint64_t>(words[j]) * rows.size() >> 32;
        ++counts[rows[drawn]][static_cast<size_t>(lane)];
      }
    }
  }
}

// Of each lane the pairs of a positive and a negative in the right order, twice; ties count one.
std::array<double, kLanes> twicePairs(const std::vector<Ranked>& ranked,
                                      const std::vector<Lanes>& counts) {
  std::array<double, kLanes> pairs{};
  Lanes negatives{}, tiedNegatives{}, tiedPositives{};
  const auto flush = [&] {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      pairs[lane] += static_cast<double>(tiedPositives[lane]) *
                     static_cast<double>(2 * negatives[lane] + tiedNegatives[lane]);
      negatives[lane] += tiedNegatives[lane];
    }
    tiedNegatives = {};
    tiedPositives = {};
  };
  for (const Ranked entry : ranked) {
    if (entry.first != 0) flush();
    const Lanes& own = counts[entry.row];
    Lanes& tied = entry.positive != 0 ? tiedPositives : tiedNegatives;
    for (size_t lane = 0; lane < kLanes; ++lane) tied[lane] += own[lane];
  }
  flush();
  return pairs;
}

}  // namespace

std::vector<double> bootstrapAucs(ThreadPool& pool, std::span<const float* const> runs,
                                  const float* labels, std::span<const int32_t> offsets,
                                  int64_t resamples, uint64_t seed) {
  std::vector<double> means(static_cast<size_t>(resamples) * runs.size(), 0.0);
  int64_t defined = 0;
  for (size_t d = 0; d + 1 < offsets.size(); ++d) {
    const int64_t begin = offsets[d], count = offsets[d + 1] - begin;
    std::array<std::vector<uint32_t>, 2> byClass;
    for (int64_t row = 0; row < count; ++row) {
      byClass[labels[begin + row] > 0.5f ? 1 : 0].push_back(static_cast<uint32_t>(row));
    }
    if (byClass[0].empty() || byClass[1].empty()) continue;
    ++defined;
    std::vector<std::vector<Ranked>> ranked(runs.size());
    pool.parallelFor(static_cast<int64_t>(runs.size()), [&](int64_t run, int) {
      const auto r = static_cast<size_t>(run);
      ranked[r] = rank(runs[r] + begin, labels + begin, count);
    });
    const double allPairs =
        static_cast<double>(byClass[0].size()) * static_cast<double>(byClass[1].size());
    pool.parallelFor(chunkCount(resamples, kLanes), [&](int64_t chunk, int) {
      const int64_t first = chunk * kLanes;
      std::vector<Lanes> counts(static_cast<size_t>(count), Lanes{});
      for (uint64_t label : {0, 1}) draw(byClass[label], seed, 2 * d + label, first, counts);
      for (size_t r = 0; r < runs.size(); ++r) {
        const std::array<double, kLanes> pairs = twicePairs(ranked[r], counts);
        for (int64_t lane = 0; lane < std::min<int64_t>(kLanes, resamples - first); ++lane) {
          means[static_cast<size_t>(first + lane) * runs.size() + r] +=
              pairs[static_cast<size_t>(lane)] / 2.0 / allPairs;
        }
      }
    });
  }
  for (double& mean : means) {
    mean = defined > 0 ? mean / static_cast<double>(defined)
                       : std::numeric_limits<double>::quiet_NaN();
  }
  return means;
}

}  // namespace polydomain::cpu
