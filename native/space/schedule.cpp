#include "polydomain/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace polydomain {

double Schedule::rateAt(double rate, int64_t step) const {
  if (step < warmup) return rate * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const int64_t i = step - warmup;
  switch (kind) {
    case ScheduleKind::kConstant:
      return rate;
    case ScheduleKind::kExponential:
      return rate * std::pow(gamma, static_cast<double>(i / every));
    case ScheduleKind::kStep: {
      const auto passed = std::upper_bound(milestones.begin(), milestones.end(), i);
      return rate * std::pow(gamma, static_cast<double>(passed - milestones.begin()));
    }
    case ScheduleKind::kCosine: {
      const double share = static_cast<double>(std::min(i, steps)) / static_cast<double>(steps);
      return minimum + 0.5 * (rate - minimum) * (1.0 + std::cos(std::numbers::pi * share));
    }
    case ScheduleKind::kInverse:
      return rate * std::pow(1.0 + gamma * static_cast<double>(i), -power);
  }
  return rate;
}

}  // namespace polydomain
