#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "polydomain/space.h"

namespace polydomain {
namespace {

constexpr int kDense = 0, kTable = 1;  // parameters, and their regions
constexpr int64_t kRowCount = 30, kDim = 6;
constexpr int64_t kBlocks = 3;
constexpr int64_t kDenseFloats = kBlocks * kDenseBlock;
constexpr int64_t kFloats = kDenseFloats + kRowCount * kDim;

std::vector<ParameterSpec> zeros() {
  return {{"dense", ParameterKind::kDense, {kDenseFloats - 5}, {}, 0.0f},
          {"table", ParameterKind::kTable, {kRowCount, kDim}, {}, 0.0f}};
}

// A gradient as the buffer holds it, and as one plain vector over everything.
struct Both {
  explicit Both(const ParameterSpace& space) : buffer(space), plain(kFloats, 0.0) {}

  void add(int region, int64_t unit, const std::vector<float>& gradient, float scale) {
    const int64_t size = region == 0 ? kDenseBlock : kDim;
    const auto count = static_cast<int64_t>(gradient.size()) / size;
    buffer.addUnits(region, unit, count, gradient.data(), scale);
    const int64_t first = (region == 0 ? 0 : kDenseFloats) + unit * size;
    for (size_t i = 0; i < gradient.size(); ++i) {
      plain[static_cast<size_t>(first) + i] +=
          static_cast<double>(scale) * static_cast<double>(gradient[i]);
    }
  }
  // Values around `mean` in the dense parameter and in `rows`.
  void fill(uint64_t step, float mean, std::initializer_list<int64_t> rows) {
    const auto values = [&](int64_t count, uint64_t stream) {
      std::vector<float> gradient(static_cast<size_t>(count));
      fillNormal({2, stream, step}, 0, count, mean, 1.0f, gradient.data());
      return gradient;
    };
    add(0, 0, values(kDenseFloats, 0), 1.0f);
    for (const int64_t row : rows) add(1, row, values(kDim, 1 + static_cast<uint64_t>(row)), 1.0f);
  }

  GradientBuffer buffer;
  std::vector<double> plain;
};

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

class Gradients : public testing::Test {
 protected:
  // What the buffer holds: minus what one step of SGD at rate 1 makes of zeros.
  static std::vector<float> read(const GradientBuffer& buffer) {
    ParameterSpace space(zeros(), 1);
    OptimizerSpec spec;
    spec.kind = OptimizerKind::kSgd;
    spec.learningRate = 1.0f;
    OptimizerState optimizer(space, spec);
    buffer.apply(space, optimizer);
    std::vector<float> values(space.region(0), space.region(0) + kDenseFloats);
    values.insert(values.end(), space.region(1), space.region(1) + kRowCount * kDim);
    for (float& value : values) value = -value;
    return values;
  }
  static void expectEqual(const Both& both) {
    const std::vector<float> values = read(both.buffer);
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(values[i], both.plain[i], 1e-6 * (1.0 + std::abs(both.plain[i]))) << i;
    }
  }

  ParameterSpace space_{zeros(), 1};
  Both a_{space_}, b_{space_};
};

TEST_F(Gradients, AddUnitsToWhatIsThere) {
  a_.add(0, 1, std::vector<float>(2 * kDenseBlock, 2.0f), 0.5f);
  a_.add(0, 1, std::vector<float>(kDenseBlock, 3.0f), 1.0f);
  a_.add(1, 29, std::vector<float>(kDim, 1.0f), -4.0f);
  EXPECT_EQ(a_.buffer.units(), 3);
  expectEqual(a_);
}

TEST_F(Gradients, AddOneAnotherWhetherTheirRowsMeetOrNot) {
  a_.fill(1, 0.3f, {2, 5, 9});
  b_.fill(2, -0.2f, {5, 11});
  a_.buffer.add(b_.buffer, -0.7f);
  for (size_t i = 0; i < kFloats; ++i) {
    a_.plain[i] += static_cast<double>(-0.7f) * b_.plain[i];
  }
  EXPECT_EQ(a_.buffer.units(), kBlocks + 4);
  expectEqual(a_);
  expectEqual(b_);
  a_.buffer.add(a_.buffer, 1.0f);
  for (double& value : a_.plain) value *= 2.0;
  expectEqual(a_);
}

TEST_F(Gradients, ScaleEverything) {
  a_.buffer.scale(2.0f);  // nothing yet
  EXPECT_EQ(a_.buffer.units(), 0);
  a_.fill(1, 0.0f, {0, 7});
  a_.buffer.scale(-1.5f);
  for (double& value : a_.plain) value *= -1.5;
  expectEqual(a_);
}

TEST_F(Gradients, MultiplyAndMeasureAsPlainVectors) {
  a_.fill(1, 0.5f, {2, 5, 9});
  b_.fill(2, 0.5f, {5, 11});
  const double expected = dot(a_.plain, b_.plain);
  EXPECT_NEAR(a_.buffer.dot(b_.buffer), expected, 1e-9 * std::abs(expected));
  EXPECT_DOUBLE_EQ(b_.buffer.dot(a_.buffer), a_.buffer.dot(b_.buffer));
  EXPECT_NEAR(a_.buffer.norm(), std::sqrt(dot(a_.plain, a_.plain)), 1e-9 * a_.buffer.norm());
}

// Rows that only one of them has are part of its norm, not of their product.
TEST_F(Gradients, ThatShareNoUnitAreOrthogonal) {
  a_.add(1, 3, std::vector<float>(kDim, 2.0f), 1.0f);
  b_.add(1, 4, std::vector<float>(kDim, -2.0f), 1.0f);
  EXPECT_EQ(a_.buffer.dot(b_.buffer), 0.0);
  EXPECT_FALSE(a_.buffer.project(b_.buffer));
  EXPECT_FALSE(a_.buffer.project(Both(space_).buffer)) << "zeros have no direction";
  expectEqual(a_);
}

// Yu et al. 2020, algorithm 1: g_i -= (g_i . g_j / |g_j|^2) g_j when g_i . g_j < 0.
TEST_F(Gradients, ProjectAwayWhatConflicts) {
  a_.fill(1, 0.5f, {2, 5, 9});
  b_.fill(2, -0.5f, {5, 11});
  const double product = dot(a_.plain, b_.plain);
  ASSERT_LT(product, 0.0);
  EXPECT_TRUE(a_.buffer.project(b_.buffer));
  const double rate = product / dot(b_.plain, b_.plain);
  for (size_t i = 0; i < kFloats; ++i) a_.plain[i] -= rate * b_.plain[i];
  expectEqual(a_);
  expectEqual(b_);
  EXPECT_NEAR(a_.buffer.dot(b_.buffer), 0.0, 1e-6 * a_.buffer.norm() * b_.buffer.norm());
}

TEST_F(Gradients, KeepTheirBitsWithoutAConflict) {
  a_.fill(1, 0.5f, {2, 5});
  b_.fill(2, 0.5f, {5, 11});
  const std::vector<float> before = read(a_.buffer);
  EXPECT_FALSE(a_.buffer.project(b_.buffer));
  EXPECT_EQ(read(a_.buffer), before);
}

TEST_F(Gradients, AreEmptyAfterZero) {
  a_.fill(1, 0.5f, {2, 5});
  a_.buffer.zero();
  EXPECT_EQ(a_.buffer.units(), 0);
  EXPECT_EQ(a_.buffer.norm(), 0.0);
  a_.plain.assign(kFloats, 0.0);
  a_.fill(3, 0.1f, {8});
  expectEqual(a_);
}

TEST_F(Gradients, AnnounceWhatTheyApplyToMarks) {
  a_.fill(1, 0.5f, {2, 5});
  OptimizerState optimizer(space_, OptimizerSpec{});
  const MarkId mark = space_.mark();
  a_.buffer.apply(space_, optimizer);
  EXPECT_EQ(space_.savedUnits(mark), a_.buffer.units());
  EXPECT_NE(space_.data(kTable)[2 * kDim], 0.0f);
  space_.restore(mark);
  EXPECT_EQ(space_.data(kTable)[2 * kDim], 0.0f);
  EXPECT_EQ(space_.data(kDense)[0], 0.0f);
  space_.release(mark);
}

}  // namespace
}  // namespace polydomain
