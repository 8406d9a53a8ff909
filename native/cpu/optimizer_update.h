#pragma once

#include <cstdint>

#include "polydomain/optimizer.h"

namespace polydomain::cpu {

// One step over n weights w with gradient g; state0 and state1 are the optimizer's slabs over the
// same weights (null where it has none). Element by element, so bits do not depend on the ranges
// that the weights are updated in.
void updateWeights(const OptimizerSpec& spec, const UpdateScalars& scalars, int64_t n, float* w,
                   const float* g, float* state0, float* state1);

}  // namespace polydomain::cpu
