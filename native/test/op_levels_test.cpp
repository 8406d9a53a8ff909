#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "cpu/attention.h"
#include "cpu/conv.h"
#include "cpu/elementwise.h"
#include "cpu/gemm.h"
#include "cpu/k_max.h"
#include "cpu/softmax.h"
#include "levels.h"
#include "random_values.h"

namespace polydomain {
namespace {

using Values = std::vector<float>;

class Levels : public testing::Test {
 protected:
  // Relative to the largest value: sums of the same terms in another order.
  static void agree(const std::string& name, const std::function<Values()>& compute) {
    Values best;
    forEachLevel([&](const std::string& level) {
      const Values values = compute();
      if (best.empty()) best = values;
      double largest = 0.0;
      for (const float value : best) largest = std::max(largest, std::abs(double{value}));
      ASSERT_GT(largest, 0.0) << name;
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_NEAR(values[i], best[i], 1e-6 * largest) << name << ", " << level << ", " << i;
      }
    });
  }
};

TEST_F(Levels, AgreeOnProducts) {
  ThreadPool pool(1);
  constexpr int64_t kM = 37, kN = 45, kK = 300;
  const Values a = randomValues(kM * kK, 1), b = randomValues(kN * kK, 2),
               bias = randomValues(kN, 3);
  cpu::GemmEpilogue epilogue;
  epilogue.bias = bias.data();
  epilogue.relu = true;
  epilogue.keep = 0.8f;
  epilogue.dropoutKey = {1, 2, 3};
  agree("gemm", [&] {
    Values out(kM * kN);
    cpu::gemm(pool, cpu::Transpose::kNo, cpu::Transpose::kYes, kM, kN, kK, a.data(), kK, b.data(),
              kK, out.data(), kN, epilogue);
    return out;
  });
}

TEST_F(Levels, AgreeOnProductsThatSkipZeros) {
  ThreadPool pool(1);
  constexpr int64_t kM = 37, kN = 145, kK = 300;
  Values a = randomValues(kM * kK, 1);
  const Values b = randomValues(kN * kK, 2);
  for (float& value : a) value = std::max(0.0f, value);
  for (const auto transposed : {cpu::Transpose::kNo, cpu::Transpose::kYes}) {
    agree("gemm that skips zeros", [&] {
      Values all(kM * kN), out(kM * kN);
      const int64_t lda = transposed == cpu::Transpose::kNo ? kK : kM;
      for (Values* to : {&all, &out}) {
        cpu::gemm(pool, transposed, cpu::Transpose::kYes, kM, kN, kK, a.data(), lda, b.data(), kK,
                  to->data(), kN, {}, to == &out);
      }
      EXPECT_EQ(out, all);
      return out;
    });
  }
}

TEST_F(Levels, AgreeOnFunctions) {
  ThreadPool pool(1);
  using cpu::Unary;
  const Values x = randomValues(1003, 4);
  Values positive = x;
  for (float& value : positive) value = std::abs(value) + 0.01f;
  const auto check = [&](const char* name, Unary function, const Values& input) {
    agree(name, [&] {
      Values y(input.size());
      cpu::unary(pool, function, {1.7f, 2.5f}, input.data(), y.data(),
                 static_cast<int64_t>(input.size()));
      return y;
    });
  };
  check("exp", Unary::kExp, x);
  check("sigmoid", Unary::kSigmoid, x);
  check("tanh", Unary::kTanh, x);
  check("softplus", Unary::kSoftplus, x);
  check("relu", Unary::kRelu, x);
  check("clip", Unary::kClip, x);
  check("log", Unary::kLog, positive);
  check("sqrt", Unary::kSqrt, positive);
  check("pow", Unary::kPower, positive);
  check("reciprocal", Unary::kReciprocal, positive);
}

TEST_F(Levels, AgreeOnBroadcasts) {
  ThreadPool pool(1);
  Values a = randomValues(31 * 23, 5), b = randomValues(23, 6);
  for (const cpu::Binary function : {cpu::Binary::kAdd, cpu::Binary::kMul, cpu::Binary::kMaximum,
                                     cpu::Binary::kSigmoidGradient}) {
    agree("binary " + std::to_string(static_cast<int>(function)), [&] {
      Values c(a.size());
      cpu::binary(pool, function, {}, {a.data(), DType::kFloat32, {31, 23}, 23},
                  {b.data(), DType::kFloat32, {23}, 1}, {c.data(), DType::kFloat32, {31, 23}, 23});
      return c;
    });
  }
}

TEST_F(Levels, AgreeOnSoftmax) {
  ThreadPool pool(1);
  const Values x = randomValues(29 * 37, 7);
  for (const bool logarithm : {false, true}) {
    agree(logarithm ? "log softmax" : "softmax", [&] {
      Values y(x.size());
      cpu::softmax(pool, logarithm, x.data(), y.data(), 29, 37);
      return y;
    });
  }
}

TEST_F(Levels, AgreeOnConvolutions) {
  ThreadPool pool(1);
  const cpu::Conv1dShape shape{70, 3, 5, 4, 11, 7};
  const Values x = randomValues(70 * 3 * 11 * 7, 8), weight = randomValues(5 * 3 * 4, 9),
               g = randomValues(70 * 5 * 11 * 7, 10);
  agree("conv1d", [&] {
    Values y(g.size());
    cpu::conv1d(pool, shape, x.data(), weight.data(), y.data());
    return y;
  });
  agree("conv1d input gradient", [&] {
    Values out(x.size());
    cpu::conv1dInputGradient(pool, shape, g.data(), weight.data(), out.data());
    return out;
  });
  agree("conv1d weight gradient", [&] {
    Values out(weight.size());
    cpu::conv1dWeightGradient(pool, shape, g.data(), x.data(), out.data());
    return out;
  });
}

TEST_F(Levels, AgreeOnAttention) {
  ThreadPool pool(1);
  const cpu::AttentionShape shape{50, 5, 3, 11};
  constexpr int64_t kCount = 50 * 5 * 3 * 11;
  const Values q = randomValues(kCount, 13), k = randomValues(kCount, 14),
               v = randomValues(kCount, 15), g = randomValues(kCount, 16);
  agree("attention", [&] {
    Values y(kCount);
    cpu::attention(pool, shape, q.data(), k.data(), v.data(), y.data());
    return y;
  });
  agree("attention gradient", [&] {
    Values out(3 * kCount);
    cpu::attentionGradient(pool, shape, g.data(), q.data(), k.data(), v.data(), out.data());
    return out;
  });
}

TEST_F(Levels, AgreeOnKMax) {
  ThreadPool pool(1);
  const cpu::KMaxShape shape{5, 13, 37, 4};
  const Values x = randomValues(5 * 13 * 37, 11), g = randomValues(5 * 4 * 37, 12);
  agree("k max", [&] {
    Values y(g.size());
    cpu::kMax(pool, shape, x.data(), y.data());
    return y;
  });
  agree("k max gradient", [&] {
    Values out(x.size());
    cpu::kMaxGradient(pool, shape, g.data(), x.data(), out.data());
    return out;
  });
}

}  // namespace
}  // namespace polydomain
