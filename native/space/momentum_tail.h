#pragma once

#include <cstdint>
#include <vector>

#include "cpu/optimizer_update.h"
#include "polydomain/space.h"

namespace polydomain {

// What dense Adam does to a table's row in the steps that have no gradient of it. With the moments
// m and v after step s, step s + j takes from a weight
//   stepSize beta1^j m / (beta2^(j/2) sqrt(v) / correction + epsilon) = c u m / (sqrt(v) + epsilon
//   u)
// where c = stepSize beta1^j and u = correction beta2^(-j/2), with step s + j's own step size and
// correction, are the same for all weights of the row. So the steps together are the integral of a
// smooth function of u over the measure that has mass c at each u: a Gauss rule of two nodes gives
// it where the u lie close together, which is everywhere but in the first steps of a run.
class MomentumTail {
 public:
  explicit MomentumTail(const OptimizerSpec& spec);

  // Steps are told in their order; the first one is step `before` + 1.
  void restart(int64_t before);
  void add(const UpdateScalars& step);
  int64_t before() const { return before_; }
  int64_t last() const { return before_ + static_cast<int64_t>(steps_.size()); }

  // The steps from + 1 to `to` as one, of a row whose moments are those of step `from`:
  // before() <= from < to <= last().
  void collect(int64_t from, int64_t to, cpu::MomentumSteps& out) const;

  void save(const ParameterSpace::Write& write) const;
  void load(const ParameterSpace::Read& read);

 private:
  struct Step {
    float size, correction;
  };
  struct Moments;
  Moments momentsOf(const Step* steps, int64_t count) const;

  double beta1_, beta2_, epsilon_;
  // Of each j up to the last one that counts: beta1^j, beta2^(-j/2).
  std::vector<double> masses_, growths_;
  int64_t before_ = 0;
  std::vector<Step> steps_;
};

}  // namespace polydomain
