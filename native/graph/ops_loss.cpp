// Losses: scalars, the mean over the rows of the batch.

#include "cpu/loss.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

template <OpName name>
void requireColumn(std::span<const TensorType> inputs, const TensorType& input) {
  requireFloat32(name.text, inputs);
  const Shape& shape = input.shape;
  const bool column = shape.size() == 1 || (shape.size() == 2 && shape[1] == 1);
  if (!column || shape[0] != inputs[0].shape[0]) {
    throwShape(name.text, inputs,
               "logits, labels and weights [rows] or [rows, 1] of the same rows");
  }
}

// logits, labels and, if there are any, weights: the mean of weight * cross entropy over the rows.
TensorType bceType(const Attributes&, std::span<const TensorType> inputs) {
  for (const TensorType& input : inputs) requireColumn<"bce_with_logits">(inputs, input);
  return {DType::kFloat32, {}};
}

// logits, labels, gradient of the loss and, if there are any, weights.
TensorType bceGradientType(const Attributes&, std::span<const TensorType> inputs) {
  requireRank("bce_with_logits_gradient", inputs, 2, 0);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i != 2) requireColumn<"bce_with_logits_gradient">(inputs, inputs[i]);
  }
  return inputs[0];
}

void bceKernel(const RunContext& context, const Attributes&, std::span<const TensorView> inputs,
               const TensorView& output) {
  const float* weights = inputs.size() > 2 ? inputs[2].f32() : nullptr;
  *output.f32() = cpu::bceWithLogits(context.pool, inputs[0].f32(), inputs[1].f32(), weights,
                                     inputs[0].shape[0]);
}

void bceGradientKernel(const RunContext& context, const Attributes&,
                       std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t rows = inputs[0].shape[0];
  if (rows == 0) return;
  const double scale = static_cast<double>(*inputs[2].f32()) / static_cast<double>(rows);
  const float* weights = inputs.size() > 3 ? inputs[3].f32() : nullptr;
  cpu::bceWithLogitsGradient(context.pool, inputs[0].f32(), inputs[1].f32(), weights,
                             static_cast<float>(scale), output.f32(), rows);
}

// Labels and weights are data: no gradient.
std::vector<ValueId> bceBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  std::vector<ValueId> gradients(in.size(), kNoValue);
  if (!wanted[0]) return gradients;
  std::vector<ValueId> parts{in[0], in[1], gradient};
  parts.insert(parts.end(), in.begin() + 2, in.end());
  gradients[0] = graph.add("bce_with_logits_gradient", std::move(parts));
  return gradients;
}

}  // namespace

void registerLossOps(OpRegistry& registry) {
  registry.add({"bce_with_logits", 2, 3, bceType, bceBackward, bceKernel});
  registry.add(
      {"bce_with_logits_gradient", 3, 4, bceGradientType, nullptr, bceGradientKernel, true});
}

}  // namespace polydomain
