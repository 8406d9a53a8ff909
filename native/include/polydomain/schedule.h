#pragma once

#include <cstdint>
#include <vector>

namespace polydomain {

enum class ScheduleKind : uint8_t { kConstant, kExponential, kStep, kCosine, kInverse };

// How a learning rate goes with an optimizer's steps: a linear warm-up, then, counted from its end,
// a rule of torch.optim.lr_scheduler.
struct Schedule {
  ScheduleKind kind = ScheduleKind::kConstant;
  int64_t warmup = 0;               // steps in which the rate rises to its full height
  double gamma = 1.0;               // exponential, step: factor; inverse: slope
  int64_t every = 1;                // exponential: steps between two factors
  std::vector<int64_t> milestones;  // step: ascending steps, each of which brings one factor
  int64_t steps = 1;                // cosine: from the full rate to the minimum
  double minimum = 0.0;             // cosine: a rate; it stays from there on
  double power = 1.0;               // inverse: rate * (1 + gamma * i)^-power
  // The rate of 0-based step `step`.
  double rateAt(double rate, int64_t step) const;
};

}  // namespace polydomain
