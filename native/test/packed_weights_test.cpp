#include "cpu/packed_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cpu/gemm.h"
#include "levels.h"
#include "random_values.h"

namespace polydomain {
namespace {

struct Case {
  int64_t rows, out, in;
};

std::string nameOf(const testing::TestParamInfo<Case>& test) {
  const auto& [rows, out, in] = test.param;
  return std::to_string(rows) + "RowsOf" + std::to_string(in) + "To" + std::to_string(out);
}

class PackedWeights : public testing::TestWithParam<Case> {
 protected:
  // Weights are the first `in` columns of wider rows.
  static constexpr int64_t kMore = 3;

  std::vector<float> packed(const float* x, const float* bias, bool relu) const {
    const auto& [rows, out, in] = GetParam();
    std::vector<float> y(static_cast<size_t>(rows * out), 7.0f);
    cpu::PackedWeights(weights_.data(), out, in, in + kMore)
        .multiply(x, rows, bias, relu, y.data());
    return y;
  }
  std::vector<float> product(const float* x, const float* bias, bool relu) const {
    const auto& [rows, out, in] = GetParam();
    ThreadPool pool(1);
    std::vector<float> y(static_cast<size_t>(rows * out), 7.0f);
    cpu::GemmEpilogue epilogue;
    epilogue.bias = bias;
    epilogue.relu = relu;
    cpu::gemm(pool, cpu::Transpose::kNo, cpu::Transpose::kYes, rows, out, in, x, in,
              weights_.data(), in + kMore, y.data(), out, epilogue);
    return y;
  }

  std::vector<float> weights_ = randomValues(GetParam().out * (GetParam().in + kMore), 1);
  std::vector<float> x_ = randomValues(GetParam().rows * GetParam().in, 2);
  std::vector<float> bias_ = randomValues(GetParam().out, 3);
};

TEST_P(PackedWeights, HaveTheBitsOfTheProductAtEveryLevel) {
  forEachLevel([&](const std::string& level) {
    for (const bool biased : {false, true}) {
      const float* bias = biased ? bias_.data() : nullptr;
      for (const bool relu : {false, true}) {
        EXPECT_EQ(packed(x_.data(), bias, relu), product(x_.data(), bias, relu))
            << level << ", relu " << relu;
      }
    }
  });
}

TEST_P(PackedWeights, PassOnWhatIsNotANumber) {
  x_[0] = std::numeric_limits<float>::quiet_NaN();
  forEachLevel([&](const std::string& level) {
    const std::vector<float> y = packed(x_.data(), bias_.data(), true);
    for (int64_t i = 0; i < std::ssize(y); ++i) {
      ASSERT_EQ(std::isnan(y[static_cast<size_t>(i)]), i < GetParam().out) << level << ", " << i;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Shapes, PackedWeights,
                         testing::Values(Case{1, 1, 1}, Case{1, 256, 256}, Case{1, 128, 64},
                                         Case{1, 65, 300}, Case{3, 47, 513}, Case{4, 33, 17},
                                         Case{9, 150, 260}, Case{5, 16, 48}, Case{1, 7, 1024}),
                         nameOf);

}  // namespace
}  // namespace polydomain
