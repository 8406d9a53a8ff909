#include <gtest/gtest.h>

#include <cmath>

#include "cuda_device.h"

namespace polydomain {
namespace {

class CudaSoftmax : public testing::TestWithParam<bool> {
 protected:
  static constexpr int64_t kRows = 150, kWidth = 5;
  // Logits of very different sizes.
  std::vector<float> logits() const {
    std::vector<float> x = randomFloats(kRows * kWidth, 1);
    for (size_t i = 0; i < x.size(); ++i) x[i] *= i % 11 == 0 ? 80.0f : 3.0f;
    return x;
  }
  // In double, of row r.
  static std::vector<double> reference(const std::vector<float>& x, int64_t r, bool logarithm) {
    const float* row = x.data() + r * kWidth;
    double most = row[0], sum = 0.0;
    for (int64_t i = 0; i < kWidth; ++i) most = std::max(most, static_cast<double>(row[i]));
    for (int64_t i = 0; i < kWidth; ++i) sum += std::exp(row[i] - most);
    std::vector<double> y;
    for (int64_t i = 0; i < kWidth; ++i) {
      const double log = row[i] - most - std::log(sum);
      y.push_back(logarithm ? log : std::exp(log));
    }
    return y;
  }
  CudaStream stream_;
};

TEST_P(CudaSoftmax, EqualsTheOneInDouble) {
  const std::vector<float> x = logits();
  const CudaArray<float> values(stream_, x);
  succeed(cudaApi().softmax(stream_, GetParam(), kRows, kWidth, values.data(), values.data()));
  const std::vector<float> got = values.read();
  for (int64_t r = 0; r < kRows; ++r) {
    const std::vector<double> y = reference(x, r, GetParam());
    for (int64_t i = 0; i < kWidth; ++i) {
      EXPECT_NEAR(got[static_cast<size_t>(r * kWidth + i)], y[static_cast<size_t>(i)],
                  1e-6 * (1.0 + std::abs(y[static_cast<size_t>(i)])));
    }
  }
}

// d (sum over i of g[i] y[i]) / dx, by central differences in double.
TEST_P(CudaSoftmax, GradientEqualsDifferences) {
  const std::vector<float> x = randomFloats(kRows * kWidth, 1);
  const std::vector<float> g = randomFloats(kRows * kWidth, 2);
  const CudaArray<float> values(stream_, x), gradient(stream_, g);
  succeed(cudaApi().softmax(stream_, GetParam(), kRows, kWidth, values.data(), values.data()));
  succeed(cudaApi().softmaxGradient(stream_, GetParam(), kRows, kWidth, gradient.data(),
                                    values.data(), gradient.data()));
  const std::vector<float> got = gradient.read();
  for (int64_t r = 0; r < kRows; ++r) {
    const auto objective = [&](const std::vector<double>& row) {
      double sum = 0.0, total = 0.0;
      for (const double value : row) sum += std::exp(value);
      for (int64_t i = 0; i < kWidth; ++i) {
        const double log = row[static_cast<size_t>(i)] - std::log(sum);
        total += g[static_cast<size_t>(r * kWidth + i)] * (GetParam() ? log : std::exp(log));
      }
      return total;
    };
    for (int64_t i = 0; i < kWidth; ++i) {
      std::vector<double> row(x.begin() + r * kWidth, x.begin() + (r + 1) * kWidth);
      constexpr double kStep = 1e-5;
      row[static_cast<size_t>(i)] += kStep;
      const double above = objective(row);
      row[static_cast<size_t>(i)] -= 2 * kStep;
      const double slope = (above - objective(row)) / (2 * kStep);
      EXPECT_NEAR(got[static_cast<size_t>(r * kWidth + i)], slope, 2e-6) << r << ", " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, CudaSoftmax, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& test) {
                           return std::string(test.param ? "Logarithm" : "Plain");
                         });

}  // namespace
}  // namespace polydomain
