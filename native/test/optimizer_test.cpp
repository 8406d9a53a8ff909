#include "polydomain/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "optimizer_steps.h"
#include "polydomain/space.h"
#include "saved.h"

namespace polydomain {
namespace {

constexpr int kDense = 0, kTable = 1;         // parameters
constexpr int64_t kDenseSize = 301;           // several blocks and a part of a vector
constexpr int64_t kTableRows = 20, kDim = 7;  // less than a vector, or a part of one
constexpr float kL2 = 0.01f;

std::vector<ParameterSpec> specs(float l2) {
  const Initializer normal{InitKind::kNormal, 0.0f, 1.0f};
  return {{"dense", ParameterKind::kDense, {kDenseSize}, normal, l2},
          {"table", ParameterKind::kTable, {kTableRows, kDim}, normal, l2}};
}

// The papers' formulas in double, in the form of torch.optim (SparseAdam for tables).
class Reference {
 public:
  Reference(const OptimizerSpec& spec, bool table, double l2, const float* start, int64_t size)
      : spec_(spec), tableForm_(table), l2_(l2), w_(start, start + size), first_(w_.size(), 0.0) {
    second_ = first_;
    seen_.assign(w_.size(), false);
  }

  void beginStep() { ++t_; }

  void update(int64_t begin, const std::vector<float>& gradient) {
    for (size_t i = 0; i < gradient.size(); ++i) {
      const size_t at = static_cast<size_t>(begin) + i;
      updateOne(at, static_cast<double>(gradient[i]));
    }
  }

  const std::vector<double>& values() const { return w_; }

 private:
  // Of the exponential schedule, which is that of all cases that have one.
  double rate() const {
    const Schedule& schedule = spec_.schedule;
    const double full = spec_.learningRate;
    if (t_ <= schedule.warmup) return full * t_ / static_cast<double>(schedule.warmup);
    double rate = full;
    for (int64_t i = schedule.warmup + 1; i < t_; ++i) rate *= schedule.gamma;
    return rate;
  }

  void updateOne(size_t i, double g) {
    const double rate = this->rate(), decay = spec_.weightDecay;
    const bool decoupled = spec_.kind == OptimizerKind::kAdamW;
    g += 2.0 * l2_ * w_[i];
    if (!decoupled) g += decay * w_[i];
    switch (spec_.kind) {
      case OptimizerKind::kSgd: {
        const double momentum = spec_.momentum;
        if (momentum == 0.0) {
          w_[i] -= rate * g;
          return;
        }
        // The buffer starts as the first gradient.
        first_[i] = seen_[i] ? momentum * first_[i] + g : g;
        seen_[i] = true;
        w_[i] -= rate * (spec_.nesterov ? g + momentum * first_[i] : first_[i]);
        return;
      }
      case OptimizerKind::kAdagrad: {
        if (!seen_[i]) first_[i] = spec_.initialAccumulator;
        seen_[i] = true;
        first_[i] += g * g;
        w_[i] -= rate * g / (std::sqrt(first_[i]) + static_cast<double>(spec_.epsilon));
        return;
      }
      case OptimizerKind::kAdam:
      case OptimizerKind::kAdamW:
        break;
    }
    const double beta1 = spec_.beta1, beta2 = spec_.beta2, epsilon = spec_.epsilon;
    if (decoupled) w_[i] *= 1.0 - rate * decay;
    first_[i] = beta1 * first_[i] + (1.0 - beta1) * g;
    second_[i] = beta2 * second_[i] + (1.0 - beta2) * g * g;
    const double correction1 = 1.0 - std::pow(beta1, t_);
    const double correction2 = 1.0 - std::pow(beta2, t_);
    if (tableForm_ || spec_.epsilonForm == EpsilonForm::kTf1) {
      w_[i] -= rate * std::sqrt(correction2) / correction1 * first_[i] /
               (std::sqrt(second_[i]) + epsilon);
    } else {
      w_[i] -= rate * (first_[i] / correction1) / (std::sqrt(second_[i] / correction2) + epsilon);
    }
  }

  OptimizerSpec spec_;
  bool tableForm_;
  double l2_;
  std::vector<double> w_, first_, second_;
  std::vector<bool> seen_;
  int t_ = 0;  // of the parameter, also for rows that come late
};

struct Case {
  std::string name;
  OptimizerSpec spec;
  float l2 = 0.0f;
};

std::vector<Case> cases() {
  OptimizerSpec sgd;
  sgd.kind = OptimizerKind::kSgd;
  sgd.learningRate = 0.1f;
  OptimizerSpec decayed = sgd;
  decayed.weightDecay = 0.03f;
  OptimizerSpec momentum = decayed;
  momentum.momentum = 0.9f;
  OptimizerSpec nesterov = momentum;
  nesterov.nesterov = true;

  OptimizerSpec adagrad;
  adagrad.kind = OptimizerKind::kAdagrad;
  adagrad.learningRate = 0.1f;
  adagrad.epsilon = 1e-10f;
  OptimizerSpec started = adagrad;
  started.initialAccumulator = 0.5f;
  started.weightDecay = 0.03f;

  OptimizerSpec adam;
  adam.learningRate = 0.02f;
  OptimizerSpec torch = adam;
  torch.epsilon = 0.05f;  // so large that the two forms are far apart
  OptimizerSpec tf1 = torch;
  tf1.epsilonForm = EpsilonForm::kTf1;
  OptimizerSpec coupled = adam;
  coupled.weightDecay = 0.03f;
  OptimizerSpec scheduled = coupled;
  scheduled.schedule.kind = ScheduleKind::kExponential;
  scheduled.schedule.gamma = 0.8;
  scheduled.schedule.warmup = 4;
  OptimizerSpec adamW = coupled;
  adamW.kind = OptimizerKind::kAdamW;

  return {{"Sgd", sgd},
          {"SgdWithWeightDecay", decayed},
          {"SgdWithRegulariser", decayed, kL2},
          {"SgdWithMomentum", momentum},
          {"SgdNesterov", nesterov},
          {"Adagrad", adagrad},
          {"AdagradStartedWithWeightDecay", started},
          {"Adam", adam},
          {"AdamEpsilonOfTorch", torch},
          {"AdamEpsilonOfTensorFlow", tf1},
          {"AdamWithWeightDecay", coupled},
          {"AdamScheduled", scheduled},
          {"AdamW", adamW},
          {"AdamWWithRegulariser", adamW, kL2}};
}

// Row 3 always, row 8 now and then, row 15 late.
std::vector<uint32_t> rowsOfStep(int step) {
  std::vector<uint32_t> rows = {3};
  if (step % 3 == 1) rows.push_back(8);
  if (step > 12) rows.push_back(15);
  return rows;
}

class Optimizer : public testing::TestWithParam<Case> {
 protected:
  static constexpr int kSteps = 20;

  void step(int number) {
    const std::vector<float> dense = randomGradient(kDenseSize, 0, number);
    state_.update(state_.beginStep(kDense), 0, 0, kDenseSize, space_.data(kDense), dense.data());
    stepRows(space_, state_, kTable, rowsOfStep(number),
             [&](uint32_t row) { return randomGradient(kDim, 1 + row, number); });
  }

  std::vector<float> values(int parameter) { return valuesOf(space_, parameter); }
  void setValues(int parameter, const std::vector<float>& values) {
    std::copy(values.begin(), values.end(), space_.data(parameter));
  }

  static void expectNear(const std::vector<float>& values, const std::vector<double>& expected) {
    ASSERT_EQ(values.size(), expected.size());
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(values[i], expected[i], 3e-6 * (1.0 + std::abs(expected[i]))) << i;
    }
  }

  ParameterSpace space_{specs(GetParam().l2), 7};
  OptimizerState state_{space_, GetParam().spec};
};

TEST_P(Optimizer, FollowsItsFormulas) {
  const Case& c = GetParam();
  const double l2 = c.l2;
  Reference dense(c.spec, false, l2, space_.data(kDense), kDenseSize);
  Reference table(c.spec, true, l2, space_.data(kTable), kTableRows * kDim);
  for (int number = 0; number < kSteps; ++number) {
    step(number);
    dense.beginStep();
    dense.update(0, randomGradient(kDenseSize, 0, number));
    table.beginStep();
    for (const uint32_t row : rowsOfStep(number)) {
      table.update(row * kDim, randomGradient(kDim, 1 + row, number));
    }
    ASSERT_NO_FATAL_FAILURE(expectNear(values(kDense), dense.values())) << "step " << number;
    ASSERT_NO_FATAL_FAILURE(expectNear(values(kTable), table.values())) << "step " << number;
  }
}

TEST_P(Optimizer, LeavesTheBitsOfOtherRows) {
  const std::vector<float> before = values(kTable);
  for (int number = 0; number < kSteps; ++number) step(number);
  const std::vector<float> after = values(kTable);
  const std::set<int64_t> touched = {3, 8, 15};
  for (int64_t row = 0; row < kTableRows; ++row) {
    const bool same = std::memcmp(before.data() + row * kDim, after.data() + row * kDim,
                                  kDim * sizeof(float)) == 0;
    EXPECT_EQ(same, !touched.contains(row)) << row;
  }
}

TEST_P(Optimizer, StartsAnewAfterAReset) {
  const std::vector<float> dense = values(kDense), table = values(kTable);
  for (int number = 0; number < kSteps; ++number) step(number);
  const std::vector<float> denseOnce = values(kDense), tableOnce = values(kTable);
  setValues(kDense, dense);
  setValues(kTable, table);
  state_.reset();
  for (int number = 0; number < kSteps; ++number) step(number);
  EXPECT_EQ(values(kDense), denseOnce);
  EXPECT_EQ(values(kTable), tableOnce);
}

TEST_P(Optimizer, SavedAndLoadedItGoesOnTheSame) {
  for (int number = 0; number < 5; ++number) step(number);
  const std::string bytes = savedBytes(state_);
  const std::vector<float> dense = values(kDense), table = values(kTable);
  for (int number = 5; number < kSteps; ++number) step(number);
  const std::vector<float> denseOnce = values(kDense), tableOnce = values(kTable);
  setValues(kDense, dense);
  setValues(kTable, table);
  loadBytes(state_, bytes);
  for (int number = 5; number < kSteps; ++number) step(number);
  EXPECT_EQ(values(kDense), denseOnce);
  EXPECT_EQ(values(kTable), tableOnce);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Optimizer, testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

TEST(OuterStep, TakesWhatChangedAsTheGradient) {
  ParameterSpace space(specs(0.0f), 7);
  OptimizerSpec spec;
  spec.kind = OptimizerKind::kSgd;
  spec.learningRate = 0.25f;
  OptimizerState state(space, spec);
  const std::vector<float> dense = valuesOf(space, kDense), table = valuesOf(space, kTable);
  const MarkId mark = space.mark();
  space.touchDense(kDense);
  space.data(kDense)[2] += 4.0f;
  const uint32_t row = 6;
  space.touch(1, {&row, 1});
  space.data(kTable)[row * kDim + 1] -= 2.0f;
  outerStep(space, state, mark);
  // SGD without momentum goes the rate's share of the way.
  for (int64_t i = 0; i < kDenseSize; ++i) {
    const float moved = i == 2 ? 1.0f : 0.0f;
    ASSERT_FLOAT_EQ(space.data(kDense)[i], dense[static_cast<size_t>(i)] + moved);
  }
  for (int64_t i = 0; i < kTableRows * kDim; ++i) {
    const float moved = i == row * kDim + 1 ? -0.5f : 0.0f;
    ASSERT_FLOAT_EQ(space.data(kTable)[i], table[static_cast<size_t>(i)] + moved);
  }
  space.release(mark);
}

}  // namespace
}  // namespace polydomain
