// Losses: scalars, the mean over the rows of the batch.

#include "cpu/loss.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

template <OpName name>
void requireColumn(std::span<const TensorType> inputs) {
  requireFloat32(name.text, inputs);
  for (const TensorType& input : inputs.first(2)) {
    const Shape& shape = input.shape;
    const bool column = shape.size() == 1 || (shape.size() == 2 && shape[1] == 1);
    if (!column || shape[0] != inputs[0].shape[0]) {
      throwShape(name.text, inputs, "logits and labels [rows] or [rows, 1] of the same rows");
    }
  }
}

TensorType bceType(const Attributes&, std::span<const TensorType> inputs) {
  requireColumn<"bce_with_logits">(inputs);
  return {DType::kFloat32, {}};
}

TensorType bceGradientType(const Attributes&, std::span<const TensorType> inputs) {
  requireColumn<"bce_with_logits_gradient">(inputs);
  requireRank("bce_with_logits_gradient", inputs, 2, 0);
  return inputs[0];
}

void bceKernel(const RunContext& context, const Attributes&, std::span<const TensorView> inputs,
               const TensorView& output) {
  *output.f32() =
      cpu::bceWithLogits(context.pool, inputs[0].f32(), inputs[1].f32(), inputs[0].shape[0]);
}

void bceGradientKernel(const RunContext& context, const Attributes&,
                       std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t rows = inputs[0].shape[0];
  if (rows == 0) return;
  const double scale = static_cast<double>(*inputs[2].f32()) / static_cast<double>(rows);
  cpu::bceWithLogitsGradient(context.pool, inputs[0].f32(), inputs[1].f32(),
                             static_cast<float>(scale), output.f32(), rows);
}

// Labels are data: no gradient.
std::vector<ValueId> bceBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  if (!wanted[0]) return {kNoValue, kNoValue};
  return {graph.add("bce_with_logits_gradient", {in[0], in[1], gradient}), kNoValue};
}

}  // namespace

void registerLossOps(OpRegistry& registry) {
  registry.add({"bce_with_logits", 2, 2, bceType, bceBackward, bceKernel});
  registry.add(
      {"bce_with_logits_gradient", 3, 3, bceGradientType, nullptr, bceGradientKernel, true});
}

}  // namespace polydomain
