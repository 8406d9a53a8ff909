#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cpu/gemm.h"

namespace polydomain {
namespace {

using cpu::GemmEpilogue;
using cpu::Transpose;

std::vector<float> randomMatrix(int64_t count, uint64_t step) {
  std::vector<float> values(static_cast<size_t>(count));
  fillUniform({1, 2, step}, 0, count, -1.0f, 1.0f, values.data());
  return values;
}

struct Case {
  Transpose a, b;
  int64_t m, n, k;
};

// "Transposed29x257TimesPlain257x40".
std::string nameOf(const testing::TestParamInfo<Case>& test) {
  const Case& c = test.param;
  const auto operand = [](Transpose transpose, int64_t rows, int64_t columns) {
    return (transpose == Transpose::kNo ? "Plain" : "Transposed") + std::to_string(rows) + "x" +
           std::to_string(columns);
  };
  return operand(c.a, c.m, c.k) + "Times" + operand(c.b, c.k, c.n);
}

class Gemm : public testing::TestWithParam<Case> {
 protected:
  std::vector<float> multiply(int threads, int64_t m, const GemmEpilogue& epilogue = {},
                              bool skipZeros = false) const {
    const Case& c = GetParam();
    ThreadPool pool(threads);
    std::vector<float> out(static_cast<size_t>(m * c.n), 7.0f);
    cpu::gemm(pool, c.a, c.b, m, c.n, c.k, a_.data(), c.a == Transpose::kNo ? c.k : c.m, b_.data(),
              c.b == Transpose::kNo ? c.n : c.k, out.data(), c.n, epilogue, skipZeros);
    return out;
  }
  // The sum in double, and of the terms' sizes, which bounds the rounding of a chain in float.
  std::pair<double, double> element(int64_t row, int64_t column) const {
    const Case& c = GetParam();
    double sum = 0.0, size = 0.0;
    for (int64_t i = 0; i < c.k; ++i) {
      const float a =
          a_[static_cast<size_t>(c.a == Transpose::kNo ? row * c.k + i : i * c.m + row)];
      const float b =
          b_[static_cast<size_t>(c.b == Transpose::kNo ? i * c.n + column : column * c.k + i)];
      sum += static_cast<double>(a) * static_cast<double>(b);
      size += std::abs(static_cast<double>(a) * static_cast<double>(b));
    }
    return {sum, size};
  }
  std::vector<float> a_ = randomMatrix(GetParam().m * GetParam().k, 1);
  std::vector<float> b_ = randomMatrix(GetParam().k * GetParam().n, 2);
};

TEST_P(Gemm, EqualsTheSumInDouble) {
  const Case& c = GetParam();
  const std::vector<float> out = multiply(2, c.m);
  for (int64_t row = 0; row < c.m; ++row) {
    for (int64_t column = 0; column < c.n; ++column) {
      // Higham, Accuracy and Stability of Numerical Algorithms, section 3.1: gamma_k.
      const auto [sum, size] = element(row, column);
      const double bound = static_cast<double>(c.k) * 0x1p-24 * size;
      ASSERT_NEAR(out[static_cast<size_t>(row * c.n + column)], sum, bound)
          << row << ", " << column;
    }
  }
}

TEST_P(Gemm, HasTheSameBitsWithAnyNumberOfThreads) {
  EXPECT_EQ(multiply(1, GetParam().m), multiply(3, GetParam().m));
}

TEST_P(Gemm, ARowHasTheSameBitsAloneAndInABatch) {
  const std::vector<float> all = multiply(1, GetParam().m);
  for (int64_t rows = 1; rows <= std::min<int64_t>(4, GetParam().m); ++rows) {
    const std::vector<float> few = multiply(1, rows);
    EXPECT_EQ(std::vector<float>(all.begin(), all.begin() + rows * GetParam().n), few) << rows;
  }
}

TEST_P(Gemm, EpilogueAddsBiasThenReluThenDropout) {
  const Case& c = GetParam();
  const std::vector<float> plain = multiply(1, c.m);
  const std::vector<float> bias = randomMatrix(c.n, 3);
  GemmEpilogue epilogue;
  epilogue.bias = bias.data();
  epilogue.relu = true;
  epilogue.keep = 0.7f;
  epilogue.dropoutKey = {4, 5, 6};
  const std::vector<float> out = multiply(2, c.m, epilogue);
  for (size_t i = 0; i < out.size(); ++i) {
    const float x = std::max(0.0f, plain[i] + bias[i % static_cast<size_t>(c.n)]);
    const bool kept = uniformAt(epilogue.dropoutKey, i) < 0.7f;
    ASSERT_EQ(out[i], kept ? x * (1.0f / 0.7f) : 0.0f) << i;
  }
}

TEST_P(Gemm, EpilogueAddsTheRowOfTheBiasThatARowNames) {
  const Case& c = GetParam();
  const std::vector<float> plain = multiply(1, c.m);
  const std::vector<float> bias = randomMatrix(3 * c.n, 3);
  std::vector<int32_t> biasRow;
  for (int32_t row = 0; row < c.m; ++row) biasRow.push_back(row * row % 3);
  GemmEpilogue epilogue;
  epilogue.bias = bias.data();
  epilogue.biasRow = biasRow.data();
  const std::vector<float> out = multiply(2, c.m, epilogue);
  for (size_t i = 0; i < out.size(); ++i) {
    const auto n = static_cast<size_t>(c.n);
    const size_t from = static_cast<size_t>(biasRow[i / n]) * n + i % n;
    ASSERT_EQ(out[i], plain[i] + bias[from]) << i;
  }
}

TEST_P(Gemm, SkippingZerosChangesNoBits) {
  const Case& c = GetParam();
  const std::vector<float> bias = randomMatrix(c.n, 3);
  GemmEpilogue epilogue;
  epilogue.bias = bias.data();
  for (size_t i = 0; i < a_.size(); ++i) {
    if (i % 7 < 5) a_[i] = i % 2 == 0 ? 0.0f : -0.0f;
  }
  const std::vector<float> all = multiply(1, c.m, epilogue);
  for (const int threads : {1, 3}) EXPECT_EQ(multiply(threads, c.m, epilogue, true), all);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Gemm,
                         testing::Values(Case{Transpose::kNo, Transpose::kYes, 1, 1, 1},
                                         Case{Transpose::kNo, Transpose::kYes, 33, 65, 300},
                                         Case{Transpose::kNo, Transpose::kNo, 100, 47, 513},
                                         Case{Transpose::kYes, Transpose::kNo, 29, 40, 257},
                                         Case{Transpose::kYes, Transpose::kYes, 17, 9, 3},
                                         Case{Transpose::kNo, Transpose::kYes, 20, 31, 518},
                                         Case{Transpose::kYes, Transpose::kYes, 2, 23, 9},
                                         Case{Transpose::kNo, Transpose::kYes, 256, 128, 64},
                                         Case{Transpose::kYes, Transpose::kNo, 64, 130, 1024},
                                         Case{Transpose::kNo, Transpose::kNo, 150, 300, 400},
                                         Case{Transpose::kYes, Transpose::kNo, 130, 264, 600}),
                         nameOf);

// Left factors of ones and zeros.
class GemmOfZeros : public testing::Test {
 protected:
  static constexpr int64_t kRows = 64, kColumns = 40, kDepth = 100;

  std::vector<float> multiply(const std::vector<float>& a, const std::vector<float>& b,
                              bool skipZeros) {
    std::vector<float> out(kRows * kColumns);
    cpu::gemm(pool_, Transpose::kNo, Transpose::kNo, kRows, kColumns, kDepth, a.data(), kDepth,
              b.data(), kColumns, out.data(), kColumns, {}, skipZeros);
    return out;
  }
  static std::vector<float> onesEvery(size_t step) {
    std::vector<float> a(kRows * kDepth);
    for (size_t i = 0; i < a.size(); i += step) a[i] = 1.0f;
    return a;
  }

 private:
  ThreadPool pool_{1};
};

TEST_F(GemmOfZeros, SkipsThemWhereThereAreManyAndItIsAllowed) {
  std::vector<float> b(kDepth * kColumns, 1.0f);
  b[1 * kColumns + 3] = INFINITY;  // the second of k, which no row reads at a step of 4
  EXPECT_EQ(multiply(onesEvery(4), b, true)[3], 25.0f);
  EXPECT_TRUE(std::isnan(multiply(onesEvery(4), b, false)[3]));
  std::vector<float> few = onesEvery(1);
  few[1] = 0.0f;
  EXPECT_TRUE(std::isnan(multiply(few, b, true)[3]));
}

TEST_F(GemmOfZeros, KeepsNotANumber) {
  std::vector<float> a = onesEvery(4);
  a[2 * kDepth + 5] = NAN;
  const std::vector<float> out = multiply(a, std::vector<float>(kDepth * kColumns, 1.0f), true);
  for (int64_t column = 0; column < kColumns; ++column) {
    EXPECT_TRUE(std::isnan(out[static_cast<size_t>(2 * kColumns + column)])) << column;
    EXPECT_EQ(out[static_cast<size_t>(3 * kColumns + column)], 25.0f) << column;
  }
}

}  // namespace
}  // namespace polydomain
