#pragma once

#include <span>
#include <vector>

#include "polydomain/optimizer.h"
#include "polydomain/random.h"
#include "polydomain/space.h"

// What tests of optimizers set up alike.
namespace polydomain {

inline std::vector<float> valuesOf(ParameterSpace& space, int parameter) {
  const float* from = space.data(parameter);
  return {from, from + elementCount(space.parameter(parameter).shape)};
}

// From -1 to 1, by stream and step.
inline std::vector<float> randomGradient(int64_t size, uint64_t stream, int64_t step) {
  std::vector<float> values(static_cast<size_t>(size));
  fillUniform({4, stream, static_cast<uint64_t>(step)}, 0, size, -1.0f, 1.0f, values.data());
  return values;
}

// One step of the only table (region 1), in which `rows` have the gradients gradientOf(row).
template <typename GradientOf>
void stepRows(ParameterSpace& space, OptimizerState& state, int table,
              std::span<const uint32_t> rows, GradientOf&& gradientOf) {
  const int64_t dim = space.unitSize(1);
  const UpdateScalars scalars = state.beginStep(table);
  for (const uint32_t row : rows) {
    const std::vector<float> gradient = gradientOf(row);
    state.update(scalars, 1, row, dim, space.data(table) + row * dim, gradient.data());
  }
  state.endStep();
}

}  // namespace polydomain
