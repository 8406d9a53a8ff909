// Batch normalisation of the columns of [rows, width], and averages that a program keeps over its
// training steps.

#include <algorithm>
#include <cstring>

#include "cpu/batch_norm.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

void requireMatrix(const char* op, std::span<const TensorType> inputs, size_t index) {
  requireFloat32(op, inputs);
  requireRank(op, inputs, index, 2);
}

// All but the first `matrices` inputs hold one value per column of input 0.
void requireColumnValues(const char* op, std::span<const TensorType> inputs, size_t matrices) {
  requireMatrix(op, inputs, matrices - 1);
  const Shape& shape = inputs[matrices - 1].shape;
  for (const TensorType& input : inputs.subspan(matrices)) {
    if (input.shape != Shape{shape[1]}) throwShape(op, inputs, "one value per column");
  }
}

double epsilonOf(const Attributes& attributes) {
  const auto epsilon = attributes.get<double>("epsilon");
  if (epsilon > 0.0) return epsilon;
  throw Error(ErrorKind::kConfig,
              "batch_norm: epsilon " + std::to_string(epsilon) + "; expected a number above 0");
}

TensorType varianceType(const Attributes&, std::span<const TensorType> inputs) {
  requireColumnValues("variance", inputs, 1);
  return inputs[1];
}

TensorType batchNormType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireColumnValues("batch_norm", inputs, 1);
  epsilonOf(attributes);
  return inputs[0];
}

TensorType batchNormSumsType(const Attributes&, std::span<const TensorType> inputs) {
  requireColumnValues("batch_norm_sums", inputs, 2);
  return {DType::kFloat32, {2 * inputs[0].shape[1]}};
}

TensorType batchNormGradientType(const Attributes&, std::span<const TensorType> inputs) {
  requireColumnValues("batch_norm_gradient", inputs.first(5), 2);
  return inputs[0];
}

TensorType runningAverageType(const Attributes& attributes, std::span<const TensorType> inputs) {
  const auto momentum = attributes.get<double>("momentum");
  if (!(momentum >= 0.0 && momentum < 1.0)) {
    throw Error(ErrorKind::kConfig, "running_average: momentum " + std::to_string(momentum) +
                                        "; expected a number in [0, 1)");
  }
  return sameType<"running_average">(attributes, inputs);
}

cpu::BatchNormShape shapeOf(const Attributes& attributes, const TensorView& x) {
  return {x.shape[0], x.shape[1], attributes.get<double>("epsilon")};
}

void varianceKernel(const RunContext& context, const Attributes&,
                    std::span<const TensorView> inputs, const TensorView& output) {
  const TensorView& x = inputs[0];
  cpu::columnVariance(context.pool, x.f32(), inputs[1].f32(), x.shape[0], x.shape[1], output.f32());
}

void batchNormKernel(const RunContext& context, const Attributes& attributes,
                     std::span<const TensorView> inputs, const TensorView& output) {
  cpu::batchNorm(context.pool, shapeOf(attributes, inputs[0]), inputs[0].f32(), inputs[1].f32(),
                 inputs[2].f32(), {inputs[3].f32(), inputs[4].f32()}, output.f32());
}

void batchNormSumsKernel(const RunContext& context, const Attributes& attributes,
                         std::span<const TensorView> inputs, const TensorView& output) {
  cpu::batchNormSums(context.pool, shapeOf(attributes, inputs[0]), inputs[0].f32(), inputs[1].f32(),
                     {inputs[2].f32(), inputs[3].f32()}, output.f32());
}

void batchNormGradientKernel(const RunContext& context, const Attributes& attributes,
                             std::span<const TensorView> inputs, const TensorView& output) {
  cpu::batchNormGradient(context.pool, shapeOf(attributes, inputs[0]), inputs[0].f32(),
                         inputs[1].f32(), inputs[2].f32(), {inputs[3].f32(), inputs[4].f32()},
                         inputs[5].f32(), output.f32());
}

void runningAverageKernel(const RunContext&, const Attributes&, std::span<const TensorView> inputs,
                          const TensorView& output) {
  if (inputs[0].data == output.data) return;
  std::memcpy(output.data, inputs[0].data, static_cast<size_t>(output.size()) * sizeof(float));
}

bool dependsOn(const Graph& graph, ValueId value, ValueId source) {
  if (value == source) return true;
  const std::vector<ValueId>& inputs = graph[value].inputs;
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](ValueId input) { return dependsOn(graph, input, source); });
}

// Inputs: x, scale, shift, mean, variance. Where the last two are x's own, its gradient holds
// theirs; else they are constants.
std::vector<ValueId> batchNormBackward(Graph& graph, ValueId node, ValueId gradient,
                                       std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  const Attributes attributes = graph[node].attributes;
  const int64_t width = graph[in[1]].type.shape[0];
  const ValueId sums = graph.add("batch_norm_sums", {gradient, in[0], in[3], in[4]}, attributes);
  std::vector<ValueId> gradients(in.size(), kNoValue);
  const auto half = [&](int64_t start) {
    return graph.add("slice", {sums}, {{"start", start}, {"length", width}});
  };
  if (wanted[0] && !dependsOn(graph, in[3], in[0])) {
    const double epsilon = attributes.get<double>("epsilon");
    const ValueId variance = graph.add("add_scalar", {in[4]}, {{"value", epsilon}});
    const ValueId factor = graph.add("div", {in[1], graph.add("sqrt", {variance})});
    gradients[0] = graph.add("mul", {gradient, factor});
  } else if (wanted[0]) {
    gradients[0] =
        graph.add("batch_norm_gradient", {gradient, in[0], in[1], in[3], in[4], sums}, attributes);
  }
  if (wanted[1]) gradients[1] = half(width);
  if (wanted[2]) gradients[2] = half(0);
  return gradients;
}

std::vector<ValueId> runningAverageBackward(Graph&, ValueId, ValueId gradient,
                                            std::span<const bool>) {
  return {gradient, kNoValue};
}

}  // namespace

void registerNormOps(OpRegistry& registry) {
  registry.add({"running_average", 2, 2, runningAverageType, runningAverageBackward,
                runningAverageKernel, true});
  registry.add({"variance", 2, 2, varianceType, nullptr, varianceKernel});
  registry.add({"batch_norm", 5, 5, batchNormType, batchNormBackward, batchNormKernel, true});
  registry.add({"batch_norm_sums", 4, 4, batchNormSumsType, nullptr, batchNormSumsKernel});
  registry.add(
      {"batch_norm_gradient", 6, 6, batchNormGradientType, nullptr, batchNormGradientKernel, true});
}

}  // namespace polydomain
