#include "auc.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "chunks.h"

namespace polydomain::cpu {

namespace {

// An unsigned key that orders as the floats do (-0 as 0), with the label below it.
uint64_t keyOf(float score, bool positive) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);
  const uint32_t ordered = bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
  return static_cast<uint64_t>(ordered) << 1 | static_cast<uint64_t>(positive);
}

void sortInParallel(ThreadPool& pool, std::vector<uint64_t>& keys) {
  constexpr int64_t kRun = kChunkElements;
  const auto count = static_cast<int64_t>(keys.size());
  forChunks(pool, count, kRun, [&](int64_t begin, int64_t end) {
    std::sort(keys.begin() + begin, keys.begin() + end);
  });
  std::vector<uint64_t> other(count > kRun ? keys.size() : 0);
  for (int64_t width = kRun; width < count; width *= 2) {
    forChunks(pool, count, 2 * width, [&](int64_t begin, int64_t end) {
      const auto middle = keys.begin() + std::min(end, begin + width);
      std::merge(keys.begin() + begin, middle, middle, keys.begin() + end, other.begin() + begin);
    });
    keys.swap(other);
  }
}

}  // namespace

double auc(ThreadPool& pool, const float* scores, const float* labels, int64_t count) {
  std::vector<uint64_t> keys(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    keys[static_cast<size_t>(i)] = keyOf(scores[i], labels[i] > 0.5f);
  }
  sortInParallel(pool, keys);
  // Twice the number of (positive, negative) pairs in the right order, ties counting one: integers,
  // hence exact.
  uint64_t twicePairs = 0, negatives = 0, positives = 0;
  for (size_t i = 0; i < keys.size();) {
    uint64_t tiedNegatives = 0, tiedPositives = 0;
    const uint64_t score = keys[i] >> 1;
    for (; i < keys.size() && keys[i] >> 1 == score; ++i) {
      ++((keys[i] & 1) != 0 ? tiedPositives : tiedNegatives);
    }
    twicePairs += tiedPositives * (2 * negatives + tiedNegatives);
    negatives += tiedNegatives;
    positives += tiedPositives;
  }
  if (negatives == 0 || positives == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(twicePairs) / 2.0 / static_cast<double>(positives) /
         static_cast<double>(negatives);
}

double logLoss(const float* scores, const float* labels, int64_t count) {
  constexpr double kSmallest = 1e-7;
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    const double p = std::clamp(static_cast<double>(scores[i]), kSmallest, 1.0 - kSmallest);
    const auto y = static_cast<double>(labels[i]);
    sum -= y * std::log(p) + (1.0 - y) * std::log1p(-p);
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

}  // namespace polydomain::cpu
