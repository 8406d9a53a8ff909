#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "cpu/reduce.h"
#include "cuda_device.h"

namespace polydomain {
namespace {

using Reference = double (*)(double a, double b, double p, double q);

struct Function {
  PolydomainCudaFunction number;
  const char* name;
  Reference reference;
  double ulps;            // of the result
  bool positive = false;  // whether the operands have to be
  friend void PrintTo(const Function& function, std::ostream* out) { *out << function.name; }
};

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

const std::vector<Function> kBinary = {
    {POLYDOMAIN_CUDA_ADD, "Add", [](double a, double b, double, double) { return a + b; }, 0.5},
    {POLYDOMAIN_CUDA_SUB, "Sub", [](double a, double b, double, double) { return a - b; }, 0.5},
    {POLYDOMAIN_CUDA_MUL, "Mul", [](double a, double b, double, double) { return a * b; }, 0.5},
    {POLYDOMAIN_CUDA_DIV, "Div", [](double a, double b, double, double) { return a / b; }, 0.51},
    {POLYDOMAIN_CUDA_MAXIMUM, "Maximum",
     [](double a, double b, double, double) { return std::max(a, b); }, 0},
    {POLYDOMAIN_CUDA_MINIMUM, "Minimum",
     [](double a, double b, double, double) { return std::min(a, b); }, 0},
    {POLYDOMAIN_CUDA_STEP, "Step",
     [](double a, double b, double, double) { return a > b    ? 1.0
                                                     : a == b ? 0.5
                                                              : 0.0; }, 0},
    {POLYDOMAIN_CUDA_RELU_GRADIENT, "ReluGradient",
     [](double a, double b, double, double) { return b > 0 ? a : 0.0; }, 0},
    {POLYDOMAIN_CUDA_SIGMOID_GRADIENT, "SigmoidGradient",
     [](double a, double b, double, double) { return a * b * (1 - b); }, 4},
    {POLYDOMAIN_CUDA_TANH_GRADIENT, "TanhGradient",
     [](double a, double b, double, double) { return a * (1 - b * b); }, 4},
    {POLYDOMAIN_CUDA_SQRT_GRADIENT, "SqrtGradient",
     [](double a, double b, double, double) { return a / (2 * b); }, 2},
    {POLYDOMAIN_CUDA_RECIPROCAL_GRADIENT, "ReciprocalGradient",
     [](double a, double b, double, double) { return -a * b * b; }, 2},
    {POLYDOMAIN_CUDA_SQUARE_GRADIENT, "SquareGradient",
     [](double a, double b, double, double) { return 2 * a * b; }, 1},
    {POLYDOMAIN_CUDA_ABS_GRADIENT, "AbsGradient",
     [](double a, double b, double, double) { return b > 0   ? a
                                                     : b < 0 ? -a
                                                             : 0.0; }, 0},
    {POLYDOMAIN_CUDA_SOFTPLUS_GRADIENT, "SoftplusGradient",
     [](double a, double b, double, double) { return a * sigmoid(b); }, 6},
    {POLYDOMAIN_CUDA_CLIP_GRADIENT, "ClipGradient",
     [](double a, double b, double p, double q) { return b >= p && b <= q ? a : 0.0; }, 0},
    {POLYDOMAIN_CUDA_ACTIVATION_GRADIENT, "ActivationGradient",
     [](double a, double b, double p, double) { return b > 0 ? a * p : 0.0; }, 0.5}};

const std::vector<Function> kUnary = {
    {POLYDOMAIN_CUDA_NEG, "Neg", [](double a, double, double, double) { return -a; }, 0},
    {POLYDOMAIN_CUDA_EXP, "Exp", [](double a, double, double, double) { return std::exp(a); }, 3},
    {POLYDOMAIN_CUDA_LOG, "Log", [](double a, double, double, double) { return std::log(a); }, 3,
     true},
    {POLYDOMAIN_CUDA_SQRT, "Sqrt", [](double a, double, double, double) { return std::sqrt(a); },
     0.51, true},
    {POLYDOMAIN_CUDA_SQUARE, "Square", [](double a, double, double, double) { return a * a; }, 0.5},
    {POLYDOMAIN_CUDA_ABS, "Abs", [](double a, double, double, double) { return std::abs(a); }, 0},
    {POLYDOMAIN_CUDA_RELU, "Relu",
     [](double a, double, double, double) { return std::max(a, 0.0); }, 0},
    {POLYDOMAIN_CUDA_SIGMOID, "Sigmoid",
     [](double a, double, double, double) { return sigmoid(a); }, 4},
    {POLYDOMAIN_CUDA_TANH, "Tanh", [](double a, double, double, double) { return std::tanh(a); },
     3},
    {POLYDOMAIN_CUDA_SOFTPLUS, "Softplus",
     [](double a, double, double, double) { return std::log1p(std::exp(a)); }, 5},
    {POLYDOMAIN_CUDA_RECIPROCAL, "Reciprocal",
     [](double a, double, double, double) { return 1 / a; }, 0.51},
    {POLYDOMAIN_CUDA_SCALE, "Scale", [](double a, double, double p, double) { return a * p; }, 0.5},
    {POLYDOMAIN_CUDA_ADD_SCALAR, "AddScalar",
     [](double a, double, double p, double) { return a + p; }, 0.5},
    {POLYDOMAIN_CUDA_POWER, "Power",
     [](double a, double, double p, double) { return std::pow(a, p); }, 0.51, true},
    {POLYDOMAIN_CUDA_CLIP, "Clip",
     [](double a, double, double p, double q) { return std::min(std::max(a, p), q); }, 0}};

constexpr float kP = 0.25f, kQ = 0.75f;

class CudaElementwise : public testing::TestWithParam<Function> {};

// Operands that repeat and results that lie apart: [5, 7, 3].
TEST_P(CudaElementwise, EqualsTheFunctionInDouble) {
  const Function& f = GetParam();
  const bool two = f.number < POLYDOMAIN_CUDA_NEG;
  const CudaStream stream;
  std::vector<float> left = randomFloats(5 * 7 * 3, 1), right = randomFloats(7, 2);
  for (std::vector<float>* values : {&left, &right}) {
    for (float& x : *values) x = f.positive ? std::abs(x) + 0.01f : 4.0f * x;
  }
  right[3] = 0.5f;
  left[10] = 0.5f;  // equal to it in its place
  const CudaArray<float> a(stream, left), b(stream, right);
  const CudaArray<float> c(stream, std::vector<float>(5 * 7 * 4, 7.0f));
  const PolydomainCudaShape shape = {3, {5, 7, 3}, {21, 3, 1}, {0, 1, 0}, {28, 4, 1}};
  succeed(cudaApi().elementwise(stream, f.number, kP, kQ, &shape, a.data(),
                                two ? b.data() : nullptr, c.data()));
  const std::vector<float> got = c.read();
  for (size_t i = 0; i < 5; ++i) {
    for (size_t j = 0; j < 7; ++j) {
      for (size_t k = 0; k < 3; ++k) {
        const double x = left[i * 21 + j * 3 + k], y = right[j];
        const double expected = f.reference(x, y, kP, kQ);
        const auto rounded = static_cast<float>(expected);
        const double ulp = std::nextafter(std::abs(rounded), INFINITY) - std::abs(rounded);
        EXPECT_NEAR(got[i * 28 + j * 4 + k], expected, f.ulps * ulp) << x << ", " << y;
      }
      EXPECT_EQ(got[i * 28 + j * 4 + 3], 7.0f) << "between the results";
    }
  }
}

TEST_P(CudaElementwise, WritesInPlace) {
  const Function& f = GetParam();
  const bool two = f.number < POLYDOMAIN_CUDA_NEG;
  const CudaStream stream;
  std::vector<float> left = randomFloats(700, 1);
  for (float& x : left) x = std::abs(x) + 0.01f;
  const CudaArray<float> a(stream, left), b(stream, left), c(stream, left);
  const PolydomainCudaShape shape = {1, {700}, {1}, {1}, {1}};
  const float* second = two ? b.data() : nullptr;
  succeed(cudaApi().elementwise(stream, f.number, kP, kQ, &shape, a.data(), second, c.data()));
  succeed(cudaApi().elementwise(stream, f.number, kP, kQ, &shape, a.data(), second, a.data()));
  EXPECT_EQ(a.read(), c.read());
}

const auto nameOfFunction = [](const testing::TestParamInfo<Function>& test) {
  return std::string(test.param.name);
};
INSTANTIATE_TEST_SUITE_P(Binary, CudaElementwise, testing::ValuesIn(kBinary), nameOfFunction);
INSTANTIATE_TEST_SUITE_P(Unary, CudaElementwise, testing::ValuesIn(kUnary), nameOfFunction);

TEST(CudaElementwiseSizes, FillsAndTakesNothing) {
  const CudaStream stream;
  const CudaArray<float> c(stream, std::vector<float>(300, 7.0f));
  PolydomainCudaShape shape = {1, {299}, {0}, {0}, {1}};
  succeed(cudaApi().elementwise(stream, POLYDOMAIN_CUDA_FILL, 2.5f, 0.0f, &shape, nullptr, nullptr,
                                c.data()));
  std::vector<float> expected(300, 2.5f);
  expected.back() = 7.0f;
  EXPECT_EQ(c.read(), expected);
  shape.size[0] = 0;
  succeed(cudaApi().elementwise(stream, POLYDOMAIN_CUDA_FILL, 9.0f, 0.0f, &shape, nullptr, nullptr,
                                c.data()));
  shape.rank = 0;  // one element
  succeed(cudaApi().elementwise(stream, POLYDOMAIN_CUDA_FILL, 9.0f, 0.0f, &shape, nullptr, nullptr,
                                c.data()));
  expected[0] = 9.0f;
  EXPECT_EQ(c.read(), expected);
  shape.rank = POLYDOMAIN_CUDA_MAX_RANK + 1;
  EXPECT_EQ(cudaApi().elementwise(stream, POLYDOMAIN_CUDA_FILL, 9.0f, 0.0f, &shape, nullptr,
                                  nullptr, c.data()),
            1);
  EXPECT_NE(std::string(cudaApi().lastError()).find("expected at most 8"), std::string::npos);
}

TEST(CudaSumMiddle, AddsUpInDouble) {
  const CudaStream stream;
  ThreadPool pool(1);
  struct Case {
    int64_t outer, reduced, inner;
  };
  for (const Case& c : {Case{1, 0, 1}, Case{1, 5000, 1}, Case{1, 700, 33}, Case{40, 9, 1},
                        Case{6, 20, 7}, Case{3, 0, 2}, Case{0, 4, 2}}) {
    const std::vector<float> x = randomFloats(c.outer * c.reduced * c.inner, 1);
    std::vector<float> expected(static_cast<size_t>(c.outer * c.inner), 7.0f);
    const double scale = 1.0 / 3.0;
    cpu::sumMiddle(pool, x.data(), c.outer, c.reduced, c.inner, scale, expected.data());
    const CudaArray<float> values(stream, x), out(stream, std::vector<float>(expected.size(), 7));
    succeed(
        cudaApi().sumMiddle(stream, c.outer, c.reduced, c.inner, scale, values.data(), out.data()));
    const std::vector<float> got = out.read();
    // One rounding to float, of sums that differ in the last bits of a double.
    for (size_t i = 0; i < got.size(); ++i) EXPECT_FLOAT_EQ(got[i], expected[i]) << c.reduced;
  }
}

}  // namespace
}  // namespace polydomain
