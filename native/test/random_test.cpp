#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "polydomain/random.h"

namespace polydomain {
namespace {

// Known answers of Random123 (philox4x32, 10 rounds) need the raw key; stream 0 mixes to 0.
TEST(Philox, GivesRandom123sKnownAnswers) {
  const std::array<uint32_t, 4> zeros = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  EXPECT_EQ(philox({0, 0, 0}, 0), zeros);
  const std::array<uint32_t, 4> ones = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  EXPECT_EQ(philox({~0ull, 0, ~0ull}, ~0ull), ones);
}

TEST(Uniform, VectorsEqualSingleElementsFromAnyStart) {
  const RandomKey key{11, streamOf("x"), 5};
  for (const uint64_t first : {0ull, 1ull, 3ull, 64ull, (1ull << 34) - 70}) {
    std::vector<float> values(1000);
    fillUniform(key, first, 1000, 0.0f, 1.0f, values.data());
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], uniformAt(key, first + i));
  }
}

TEST(Bits, AreBelowTheirBoundWhereTheUniformIsBelowTheLimit) {
  const RandomKey key{11, streamOf("x"), 5};
  for (const uint64_t first : {0ull, 2ull, (1ull << 34) - 70}) {
    std::vector<uint32_t> bits(1000);
    fillBits(key, first, 1000, bits.data());
    for (const float limit : {0.0f, 0x1p-24f, 0.1f, 0.3f, 0.5f, 0.9f, 1.0f - 0x1p-24f}) {
      for (size_t i = 0; i < bits.size(); ++i) {
        ASSERT_EQ(bits[i], philox(key, (first + i) / 4)[(first + i) % 4]);
        ASSERT_EQ(bits[i] < bitsBelow(limit), uniformAt(key, first + i) < limit) << limit;
      }
    }
  }
  // A limit between two uniforms, and the numbers next to it.
  for (const float limit : {0.1f, 0.5f, 0.7f}) {
    const uint32_t below = bitsBelow(limit);
    EXPECT_LT(static_cast<float>((below - 1) >> 8) * 0x1p-24f, limit);
    EXPECT_GE(static_cast<float>(below >> 8) * 0x1p-24f, limit);
  }
}

TEST(Normal, HasItsMomentsAndDoesNotDependOnTheCuts) {
  const RandomKey key{3, streamOf("y"), 0};
  std::vector<float> values(20000), tail(19993);
  fillNormal(key, 0, 20000, 2.0f, 0.5f, values.data());
  fillNormal(key, 7, 19993, 2.0f, 0.5f, tail.data());
  EXPECT_TRUE(std::equal(tail.begin(), tail.end(), values.begin() + 7));
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / 20000.0;
  double variance = 0.0;
  for (const float value : values) variance += (value - mean) * (value - mean) / 20000.0;
  EXPECT_NEAR(mean, 2.0, 0.02);
  EXPECT_NEAR(std::sqrt(variance), 0.5, 0.02);
}

TEST(Permutation, HoldsEveryIndexOnce) {
  std::vector<int32_t> order(1001);
  fillPermutation({1, 2, 3}, 1001, order.data());
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (int32_t i = 0; i < 1001; ++i) ASSERT_EQ(order[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace polydomain
