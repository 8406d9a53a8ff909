#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cpu/dropout.h"
#include "cpu/gemm.h"
#include "cuda_device.h"

namespace polydomain {
namespace {

const RandomKey kKey = {11, streamOf("layer"), 5};

// The device reads the step from its memory.
PolydomainCudaRandom onDevice(const RandomKey& key, const CudaArray<uint64_t>& step) {
  const uint64_t mixed = philoxKey(key);
  return {static_cast<uint32_t>(mixed), static_cast<uint32_t>(mixed >> 32), step.data()};
}

TEST(CudaDropout, HasTheMaskOfTheCpu) {
  const CudaStream stream;
  const CudaArray<uint64_t> step(stream, kKey.step);
  ThreadPool pool(1);
  for (const int64_t n : {0, 1, 3, 4, 1023, 5000}) {
    for (const size_t skipped : {0, 1}) {
      for (const float keep : {0.5f, 0.8f, 1.0f}) {
        const std::vector<float> x = randomFloats(n, 1);
        std::vector<float> y(x.size());
        cpu::dropout(pool, kKey, keep, x.data(), y.data(), n);
        const CudaArray<float> values(stream, x, skipped);
        succeed(
            cudaApi().dropout(stream, onDevice(kKey, step), keep, n, values.data(), values.data()));
        EXPECT_EQ(values.read(), y) << n << " values, keep " << keep;
      }
    }
  }
}

struct Case {
  bool transposeA, transposeB;
  int64_t m, n, k;
};

std::string nameOf(const testing::TestParamInfo<Case>& test) {
  const Case& c = test.param;
  return std::string(c.transposeA ? "Transposed" : "Plain") + std::to_string(c.m) + "x" +
         std::to_string(c.k) + "Times" + (c.transposeB ? "Transposed" : "Plain") +
         std::to_string(c.k) + "x" + std::to_string(c.n);
}

class CudaProduct : public testing::TestWithParam<Case> {
 protected:
  int64_t lda() const { return (GetParam().transposeA ? GetParam().m : GetParam().k) + gap_; }
  int64_t ldb() const { return (GetParam().transposeB ? GetParam().k : GetParam().n) + gap_; }
  int64_t ldc() const { return GetParam().n + gap_; }

  // What lies between the rows is NaN, and has to stay.
  std::vector<float> matrix(int64_t rows, int64_t columns, uint64_t sequence) const {
    std::vector<float> values = randomFloats(rows * (columns + gap_), sequence);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < gap_; ++i) {
        values[static_cast<size_t>(row * (columns + gap_) + columns + i)] = kNaN;
      }
    }
    return values;
  }
  std::vector<float> left() const {
    const Case& c = GetParam();
    return c.transposeA ? matrix(c.k, c.m, 1) : matrix(c.m, c.k, 1);
  }
  std::vector<float> right() const {
    const Case& c = GetParam();
    return c.transposeB ? matrix(c.n, c.k, 2) : matrix(c.k, c.n, 2);
  }

  PolydomainCudaProduct product(int64_t rows) const {
    const Case& c = GetParam();
    PolydomainCudaProduct p{};
    p.m = rows;
    p.n = c.n;
    p.k = c.k;
    p.lda = lda();
    p.ldb = ldb();
    p.ldc = ldc();
    p.transposeA = c.transposeA;
    p.transposeB = c.transposeB;
    p.keep = 1.0f;
    p.producer = POLYDOMAIN_CUDA_OWN;
    return p;
  }
  // The product's [m, n] without what lies between the rows.
  std::vector<float> run(PolydomainCudaProduct p) const {
    const CudaArray<float> a(stream_, left()), b(stream_, right());
    const CudaArray<float> out(stream_, std::vector<float>(static_cast<size_t>(p.m * p.ldc), kNaN));
    p.a = a.data();
    p.b = b.data();
    p.c = out.data();
    succeed(cudaApi().product(stream_, &p));
    return withoutGaps(out.read(), p.m);
  }
  std::vector<float> withoutGaps(const std::vector<float>& values, int64_t rows) const {
    std::vector<float> dense;
    for (int64_t row = 0; row < rows; ++row) {
      const auto begin = values.begin() + row * ldc();
      dense.insert(dense.end(), begin, begin + GetParam().n);
      for (int64_t i = 0; i < gap_; ++i) EXPECT_TRUE(std::isnan(begin[GetParam().n + i]));
    }
    return dense;
  }
  // The sum in double, and of the terms' sizes, which bounds the rounding of sums in float.
  std::pair<double, double> element(const std::vector<float>& a, const std::vector<float>& b,
                                    int64_t row, int64_t column) const {
    const Case& c = GetParam();
    double sum = 0.0, size = 0.0;
    for (int64_t i = 0; i < c.k; ++i) {
      const float x = a[static_cast<size_t>(c.transposeA ? i * lda() + row : row * lda() + i)];
      const float y =
          b[static_cast<size_t>(c.transposeB ? column * ldb() + i : i * ldb() + column)];
      sum += static_cast<double>(x) * static_cast<double>(y);
      size += std::abs(static_cast<double>(x) * static_cast<double>(y));
    }
    return {sum, size};
  }
  void expectTheSumInDouble() const {
    const Case& c = GetParam();
    const std::vector<float> out = run(product(c.m)), a = left(), b = right();
    for (int64_t row = 0; row < c.m; ++row) {
      for (int64_t column = 0; column < c.n; ++column) {
        // Higham, Accuracy and Stability of Numerical Algorithms, section 3.1: gamma_k.
        const auto [sum, size] = element(a, b, row, column);
        const double bound = static_cast<double>(c.k) * 0x1p-24 * size;
        ASSERT_NEAR(out[static_cast<size_t>(row * c.n + column)], sum, bound)
            << row << ", " << column;
      }
    }
  }

  static constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  CudaStream stream_;
  int64_t gap_ = 0;  // floats between rows
};

TEST_P(CudaProduct, EqualsTheSumInDouble) {
  for (const int64_t gap : {0, 1, 4}) {
    gap_ = gap;
    expectTheSumInDouble();
  }
}

TEST_P(CudaProduct, HasTheSameBitsWhenItIsMadeAgain) {
  const PolydomainCudaProduct p = product(GetParam().m);
  EXPECT_EQ(run(p), run(p));
}

// Where the batch is not what is summed over.
class CudaForwardProduct : public CudaProduct {};

TEST_P(CudaForwardProduct, ARowHasTheSameBitsAloneAndInABatch) {
  const std::vector<float> all = run(product(GetParam().m));
  const std::vector<float> few = run(product(std::min<int64_t>(GetParam().m, 3)));
  EXPECT_EQ(std::vector<float>(all.begin(), all.begin() + static_cast<int64_t>(few.size())), few);
}

// The CPU's epilogue on the product's own elements.
TEST_P(CudaProduct, EndsWithTheEpilogueOfTheCpu) {
  const Case& c = GetParam();
  const std::vector<float> plain = run(product(c.m));
  const std::vector<float> biases = randomFloats(3 * c.n, 3), gate = randomFloats(c.m * c.n, 4);
  std::vector<int32_t> biasRows(static_cast<size_t>(c.m));
  for (size_t i = 0; i < biasRows.size(); ++i) biasRows[i] = static_cast<int32_t>(i * 7 % 3);
  std::vector<float> uniform(plain.size());
  fillUniform(kKey, 0, c.m * c.n, 0.0f, 1.0f, uniform.data());
  const CudaArray<float> bias(stream_, biases), gates(stream_, gate);
  const CudaArray<int32_t> rows(stream_, biasRows);
  const CudaArray<uint64_t> step(stream_, kKey.step);
  for (const bool byRow : {false, true}) {
    for (const bool gated : {false, true}) {
      PolydomainCudaProduct p = product(c.m);
      p.bias = bias.data();
      if (byRow) p.biasRow = rows.data();
      p.relu = 1;
      p.keep = 0.7f;
      p.random = onDevice(kKey, step);
      if (gated) {
        p.gate = gates.data();
        p.gateStride = c.n;
        p.gateScale = 1.25f;
      }
      std::vector<float> expected = plain;
      for (size_t i = 0; i < expected.size(); ++i) {
        const size_t row = i / static_cast<size_t>(c.n), column = i % static_cast<size_t>(c.n);
        const size_t own = byRow ? static_cast<size_t>(biasRows[row] * c.n) : 0;
        float x = std::max(expected[i] + biases[own + column], 0.0f);
        x = uniform[i] < 0.7f ? x * (1.0f / 0.7f) : 0.0f;
        if (gated) x = gate[i] > 0.0f ? x * 1.25f : 0.0f;
        expected[i] = x;
      }
      EXPECT_EQ(run(p), expected) << byRow << gated;
    }
  }
}

// A layer with bias, relu and dropout is near the CPU's, whose sums are cut otherwise.
TEST_P(CudaProduct, IsNearTheCpus) {
  const Case& c = GetParam();
  ThreadPool pool(1);
  const std::vector<float> biases = randomFloats(c.n, 3), a = left(), b = right();
  cpu::GemmEpilogue epilogue;
  epilogue.bias = biases.data();
  epilogue.relu = true;
  epilogue.keep = 0.5f;
  epilogue.dropoutKey = kKey;
  std::vector<float> expected(static_cast<size_t>(c.m * c.n));
  const auto transpose = [](bool yes) { return yes ? cpu::Transpose::kYes : cpu::Transpose::kNo; };
  cpu::gemm(pool, transpose(c.transposeA), transpose(c.transposeB), c.m, c.n, c.k, a.data(), lda(),
            b.data(), ldb(), expected.data(), c.n, epilogue);
  const CudaArray<float> bias(stream_, biases);
  const CudaArray<uint64_t> step(stream_, kKey.step);
  PolydomainCudaProduct p = product(c.m);
  p.bias = bias.data();
  p.relu = 1;
  p.keep = 0.5f;
  p.random = onDevice(kKey, step);
  const std::vector<float> out = run(p);
  for (size_t i = 0; i < out.size(); ++i) {
    // Both are within gamma_k of the sum, whose terms are below 1; dropout doubles it.
    ASSERT_NEAR(out[i], expected[i],
                4.0 * static_cast<double>(c.k + 1) * 0x1p-24 * static_cast<double>(c.k + 1))
        << i;
  }
}

const std::vector<Case> kForward = {{false, true, 1, 1, 1},      {false, true, 1, 64, 128},
                                    {false, true, 5, 3, 0},         // an empty sum
                                    {false, true, 33, 31, 17},      // tiles that are not full
                                    {false, true, 70, 1, 64},       // the last layer
                                    {false, false, 40, 100, 36},    // an input's gradient
                                    {false, true, 730, 690, 8},     // tiles of 64
                                    {false, true, 1410, 1500, 4}};  // tiles of 128
const std::vector<Case> kByBatch = {{true, false, 36, 20, 700},  // a weight's gradient, cut along k
                                    {true, false, 1, 7, 129},
                                    {true, true, 35, 34, 50}};

INSTANTIATE_TEST_SUITE_P(Forward, CudaProduct, testing::ValuesIn(kForward), nameOf);
INSTANTIATE_TEST_SUITE_P(ByBatch, CudaProduct, testing::ValuesIn(kByBatch), nameOf);
INSTANTIATE_TEST_SUITE_P(Forward, CudaForwardProduct, testing::ValuesIn(kForward), nameOf);

TEST(CudaProductSizes, NothingIsDoneForNoElements) {
  const CudaStream stream;
  PolydomainCudaProduct p{};
  p.keep = 1.0f;
  succeed(cudaApi().product(stream, &p));
  p.m = 4;
  succeed(cudaApi().product(stream, &p));
}

TEST(CudaColumnSum, AddsUpInDouble) {
  const CudaStream stream;
  for (const int64_t columns : {0, 1, 31, 64, 100}) {
    for (const int64_t rows : {0, 1, 7, 300, 1500}) {
      const int64_t stride = columns + 2;
      const std::vector<float> x = randomFloats(rows * stride, 1);
      const CudaArray<float> values(stream, x);
      const CudaArray<float> out(stream, std::vector<float>(static_cast<size_t>(columns), 7.0f));
      succeed(cudaApi().columnSum(stream, values.data(), stride, rows, columns, out.data()));
      std::vector<float> expected;
      for (int64_t column = 0; column < columns; ++column) {
        long double sum = 0.0L;
        for (int64_t row = 0; row < rows; ++row) {
          sum += static_cast<long double>(x[static_cast<size_t>(row * stride + column)]);
        }
        expected.push_back(static_cast<float>(sum));
      }
      const std::vector<float> got = out.read();
      ASSERT_EQ(got.size(), expected.size());
      // One rounding to float, of sums that differ in the last bits of a double.
      for (size_t i = 0; i < got.size(); ++i) EXPECT_FLOAT_EQ(got[i], expected[i]);
    }
  }
}

}  // namespace
}  // namespace polydomain
