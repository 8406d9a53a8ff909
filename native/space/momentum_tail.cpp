#include "momentum_tail.h"

#include <algorithm>
#include <cmath>

#include "serialize.h"

namespace polydomain {

namespace {

// Share of what a row still moves that is left out at the end of a long gap.
constexpr double kNegligible = 1e-9;
// Variance of u over its squared mean up to which two nodes are taken: their error is then below
// 1e-7 of the sum, whatever v is.
constexpr double kCloseTogether = 5e-4;

}  // namespace

MomentumTail::MomentumTail(const OptimizerSpec& spec)
    : beta1_(spec.beta1), beta2_(spec.beta2), epsilon_(spec.epsilon) {
  // A step moves a weight by at most this factor of what the one before did.
  const double ratio = beta1_ / std::sqrt(beta2_);
  for (double mass = beta1_, growth = 1.0 / std::sqrt(beta2_);
       mass * growth > kNegligible * (1.0 - ratio); mass *= beta1_, growth /= std::sqrt(beta2_)) {
    masses_.push_back(mass);
    growths_.push_back(growth);
  }
}

void MomentumTail::restart(int64_t before) {
  before_ = before;
  steps_.clear();
}

void MomentumTail::add(const UpdateScalars& step) {
  steps_.push_back({step.stepSize, step.biasCorrection2Sqrt});
}

// Of the measure: its mass, mean, variance and third central moment.
struct MomentumTail::Moments {
  double mass = 0.0, mean = 0.0, variance = 0.0, third = 0.0;
};

MomentumTail::Moments MomentumTail::momentsOf(const Step* steps, int64_t count) const {
  // About a point nearby, so that nothing cancels.
  const double origin = static_cast<double>(steps[0].correction) * growths_[0];
  double mass = 0.0, first = 0.0, second = 0.0, third = 0.0;
  for (int64_t j = 0; j < count; ++j) {
    const auto i = static_cast<size_t>(j);
    const double c = static_cast<double>(steps[j].size) * masses_[i];
    const double x = static_cast<double>(steps[j].correction) * growths_[i] - origin;
    mass += c;
    first += c * x;
    second += c * x * x;
    third += c * x * x * x;
  }
  if (!(mass > 0.0)) return {};
  const double shift = first / mass;
  second /= mass;
  third /= mass;
  return {mass, origin + shift, second - shift * shift,
          third - 3.0 * shift * second + 2.0 * shift * shift * shift};
}

void MomentumTail::collect(int64_t from, int64_t to, cpu::MomentumSteps& out) const {
  const int64_t gap = to - from;
  const Step* steps = steps_.data() + (from - before_);
  const int64_t count = std::min(gap, static_cast<int64_t>(masses_.size()));
  out.firstDecay = static_cast<float>(std::pow(beta1_, gap));
  out.secondDecay = static_cast<float>(std::pow(beta2_, gap));
  out.weights.clear();
  out.offsets.clear();
  const auto addNode = [&](double u, double mass) {
    out.weights.push_back(static_cast<float>(mass * u));
    out.offsets.push_back(static_cast<float>(epsilon_ * u));
  };
  if (count > 2) {
    const auto [mass, mean, variance, third] = momentsOf(steps, count);
    if (variance > 0.0 && variance < kCloseTogether * mean * mean) {
      // The roots of the polynomial of degree two that is orthogonal to lower ones.
      const double skew = third / variance;
      const double root = std::sqrt(skew * skew + 4.0 * variance);
      const double high = (skew + root) / 2.0, low = (skew - root) / 2.0;
      addNode(mean + low, mass * high / root);
      addNode(mean + high, -mass * low / root);
      return;
    }
  }
  for (int64_t j = 0; j < count; ++j) {
    const auto i = static_cast<size_t>(j);
    addNode(static_cast<double>(steps[j].correction) * growths_[i],
            static_cast<double>(steps[j].size) * masses_[i]);
  }
}

void MomentumTail::save(const ParameterSpace::Write& write) const {
  writeValue(write, before_);
  writeValue(write, static_cast<int64_t>(steps_.size()));
  for (const Step& step : steps_) writeValue(write, step);
}

void MomentumTail::load(const ParameterSpace::Read& read) {
  restart(readValue<int64_t>(read));
  for (auto left = readValue<int64_t>(read); left > 0; --left) {
    steps_.push_back(readValue<Step>(read));
  }
}

}  // namespace polydomain
