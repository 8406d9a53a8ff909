#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "polydomain/optimizer.h"

namespace polydomain::cpu {

// One step over n weights w with gradient g; state0 and state1 are the optimizer's slabs over the
// same weights (null where it has none). Element by element, so bits do not depend on the ranges
// that the weights are updated in.
void updateWeights(const OptimizerSpec& spec, const UpdateScalars& scalars, int64_t n, float* w,
                   const float* g, float* state0, float* state1);

// The same for the rows `ids` of a table with `dim` columns, whose state slabs are laid out as it
// is; row i of the gradient is g + i * dim. Ids differ from each other.
void updateRows(const OptimizerSpec& spec, const UpdateScalars& scalars,
                std::span<const int32_t> ids, int64_t dim, float* table, const float* g,
                float* state0, float* state1);

// Several steps of Adam without a gradient in one:
//   w -= m sum_k weights[k] / (sqrt(v) + offsets[k]),  m *= firstDecay,  v *= secondDecay
struct MomentumSteps {
  std::vector<float> weights, offsets;
  float firstDecay, secondDecay;
};
void updateByMomentum(const MomentumSteps& steps, int64_t n, float* w, float* m, float* v);

}  // namespace polydomain::cpu
