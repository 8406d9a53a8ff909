#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "failure.h"
#include "optimizer_steps.h"
#include "polydomain/space.h"
#include "saved.h"

namespace polydomain {
namespace {

constexpr int64_t kRows = 12, kDim = 19;  // a vector and a part of one, at every SIMD level

ParameterSpec table(float l2 = 0.0f, bool trainable = true) {
  return {"table",  ParameterKind::kTable, {kRows, kDim}, {InitKind::kNormal, 0.0f, 1.0f}, l2,
          trainable};
}

// Adam over a whole table in double, as torch.optim.Adam makes its steps.
class DenseAdam {
 public:
  DenseAdam(const OptimizerSpec& spec, const float* start)
      : spec_(spec), w_(start, start + kRows * kDim), m_(w_.size(), 0.0), v_(w_.size(), 0.0) {}

  void step(const std::vector<double>& gradient) {
    ++t_;
    const double beta1 = spec_.beta1, beta2 = spec_.beta2, epsilon = spec_.epsilon;
    const double rate = spec_.schedule.rateAt(static_cast<double>(spec_.learningRate), t_ - 1);
    const double correction1 = 1.0 - std::pow(beta1, t_);
    const double correction2 = std::sqrt(1.0 - std::pow(beta2, t_));
    for (size_t i = 0; i < w_.size(); ++i) {
      m_[i] = beta1 * m_[i] + (1.0 - beta1) * gradient[i];
      v_[i] = beta2 * v_[i] + (1.0 - beta2) * gradient[i] * gradient[i];
      const double root = std::sqrt(v_[i]);
      w_[i] -= spec_.epsilonForm == EpsilonForm::kTf1
                   ? rate * correction2 / correction1 * m_[i] / (root + epsilon)
                   : rate / correction1 * m_[i] / (root / correction2 + epsilon);
    }
  }

  double value(int64_t row, int64_t i) const { return w_[static_cast<size_t>(row * kDim + i)]; }

 private:
  OptimizerSpec spec_;
  std::vector<double> w_, m_, v_;
  int t_ = 0;
};

// Row r has a gradient in every (3^r)-th step or so, and the last one none at all; weights of a row
// have gradients of every size.
bool hasGradient(int64_t row, int64_t step) {
  if (row == kRows - 1) return false;
  const auto period = static_cast<int64_t>(std::pow(3.0, row % 8));
  return step % period == row % period;
}

std::vector<float> gradientOf(int64_t row, int64_t step) {
  std::vector<float> values = randomGradient(kDim, static_cast<uint64_t>(row), step);
  for (int64_t i = 0; i < kDim; ++i) {
    values[static_cast<size_t>(i)] *= std::pow(10.0f, -static_cast<float>(i) / 2.0f);
  }
  return values;
}

struct Case {
  std::string name;
  OptimizerSpec spec;
};

std::vector<Case> cases() {
  OptimizerSpec adam;
  adam.rows = RowSteps::kDense;
  adam.learningRate = 1e-3f;
  OptimizerSpec large = adam;
  large.learningRate = 1e-2f;
  large.epsilon = 1e-3f;
  OptimizerSpec tf1 = adam;
  tf1.epsilonForm = EpsilonForm::kTf1;
  OptimizerSpec slow = adam;
  slow.beta1 = 0.99f;
  OptimizerSpec equal = adam;
  equal.beta2 = 0.9f;
  OptimizerSpec without = adam;
  without.beta1 = 0.0f;
  OptimizerSpec scheduled = adam;
  scheduled.schedule.kind = ScheduleKind::kStep;
  scheduled.schedule.warmup = 40;
  scheduled.schedule.gamma = 0.1;
  scheduled.schedule.milestones = {60, 900};
  OptimizerSpec frozen = adam;
  frozen.schedule.kind = ScheduleKind::kCosine;
  frozen.schedule.steps = 500;
  return {{"Adam", adam},           {"LargeEpsilon", large}, {"EpsilonOfTensorFlow", tf1},
          {"SlowMomentum", slow},   {"EqualBetas", equal},   {"WithoutMomentum", without},
          {"Scheduled", scheduled}, {"RateThatEnds", frozen}};
}

class DenseRows : public testing::TestWithParam<Case> {
 protected:
  void step(int64_t number) {
    std::vector<uint32_t> rows;
    for (int64_t row = 0; row < kRows; ++row) {
      if (hasGradient(row, number)) rows.push_back(static_cast<uint32_t>(row));
    }
    state_.catchUp(0, rows, pool_);
    stepRows(space_, state_, 0, rows, [&](uint32_t row) { return gradientOf(row, number); });
  }

  static std::vector<double> wholeGradient(int64_t number) {
    std::vector<double> whole(kRows * kDim, 0.0);
    for (int64_t row = 0; row < kRows; ++row) {
      if (!hasGradient(row, number)) continue;
      const std::vector<float> own = gradientOf(row, number);
      std::copy(own.begin(), own.end(), whole.begin() + row * kDim);
    }
    return whole;
  }

  std::vector<float> values() { return valuesOf(space_, 0); }

  ParameterSpace space_{{table()}, 7};
  OptimizerState state_{space_, GetParam().spec};
  ThreadPool pool_{2};
};

TEST_P(DenseRows, HaveTheValuesOfDenseAdamWhenTheyAreRead) {
  constexpr int64_t kSteps = 3000;
  DenseAdam dense(GetParam().spec, space_.data(0));
  for (int64_t number = 0; number < kSteps; ++number) {
    step(number);
    dense.step(wholeGradient(number));
    // Now and then a row is read that the step did not.
    const auto read = static_cast<uint32_t>(number % 7 == 0 ? number / 7 % kRows : 0);
    state_.catchUp(0, {&read, 1}, pool_);
    for (int64_t i = 0; i < kDim; ++i) {
      ASSERT_NEAR(space_.data(0)[read * kDim + i], dense.value(read, i), 1e-5)
          << "row " << read << ", step " << number;
    }
    if (number % 500 != 499) continue;
    EXPECT_TRUE(state_.lags(0));
    state_.settle(pool_);
    EXPECT_FALSE(state_.lags(0));
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t i = 0; i < kDim; ++i) {
        ASSERT_NEAR(space_.data(0)[row * kDim + i], dense.value(row, i), 1e-5)
            << "row " << row << ", step " << number;
      }
    }
  }
}

TEST_P(DenseRows, SavedAndLoadedGoOnTheSame) {
  for (int64_t number = 0; number < 300; ++number) step(number);
  const std::string bytes = savedBytes(state_);
  const std::vector<float> saved = values();
  const auto goOn = [&] {
    for (int64_t number = 300; number < 400; ++number) step(number);
    state_.settle(pool_);
    return values();
  };
  const std::vector<float> once = goOn();
  std::copy(saved.begin(), saved.end(), space_.data(0));
  loadBytes(state_, bytes);
  EXPECT_EQ(goOn(), once);
}

INSTANTIATE_TEST_SUITE_P(Kinds, DenseRows, testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

TEST(DenseRowsOfMarks, AreRestoredFromWhatTheyWereWhenItWasOpened) {
  OptimizerSpec spec;
  spec.rows = RowSteps::kDense;
  ParameterSpace space({table()}, 7);
  OptimizerState state(space, spec);
  ThreadPool pool(1);
  const auto step = [&](uint32_t row) {
    state.catchUp(0, {&row, 1}, pool);
    stepRows(space, state, 0, {&row, 1}, [](uint32_t own) { return gradientOf(own, 0); });
  };
  step(2);
  step(3);
  state.settle(pool);
  const std::vector<float> settled = valuesOf(space, 0);
  const MarkId mark = space.mark();
  space.touch(1, std::vector<uint32_t>{3});
  step(3);
  state.settle(pool);
  // Row 2 moved by momentum alone.
  EXPECT_EQ(space.savedUnits(mark), 2);
  space.restore(mark);
  EXPECT_EQ(std::memcmp(space.data(0), settled.data(), settled.size() * sizeof(float)), 0);
  space.release(mark);
}

TEST(DenseRowsOfBanks, StayLazy) {
  const auto trained = [](RowSteps rows) {
    OptimizerSpec spec;
    spec.rows = rows;
    ParameterSpec bank = table(0.1f);
    bank.bank = true;
    ParameterSpace space({bank}, 7);
    OptimizerState state(space, spec);
    ThreadPool pool(1);
    for (uint32_t row = 0; row < 3; ++row) {
      stepRows(space, state, 0, {&row, 1}, [](uint32_t own) { return gradientOf(own, 0); });
    }
    EXPECT_FALSE(state.lags(0));
    state.settle(pool);
    return valuesOf(space, 0);
  };
  EXPECT_EQ(trained(RowSteps::kDense), trained(RowSteps::kLazy));
}

TEST(DenseRowsWithL2, AreRefused) {
  OptimizerSpec spec;
  spec.rows = RowSteps::kDense;
  ParameterSpace decayed({table(0.1f)}, 7);
  std::string message;
  EXPECT_EQ(kindOfFailure([&] { OptimizerState state(decayed, spec); }, &message),
            ErrorKind::kConfig);
  EXPECT_NE(message.find("'table'"), std::string::npos) << message;
  ParameterSpace untrained({table(0.1f, false)}, 7);
  const OptimizerState state(untrained, spec);
}

}  // namespace
}  // namespace polydomain
