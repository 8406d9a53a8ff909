// Convolution over the length of [rows, in, length, ..]; whatever stands behind is kept apart.

#include <algorithm>

#include "cpu/conv.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

// Checks `value` [rows, channels, length, ..] against a weight [out, in, width] of fixed sizes.
void requireConv(const char* op, std::span<const TensorType> inputs, const Shape& value,
                 const Shape& weight, size_t channels) {
  const bool fixed =
      std::all_of(weight.begin(), weight.end(), [](int64_t size) { return size > 0; });
  if (value.size() < 3 || weight.size() != 3 || !fixed || value[1] != weight[channels]) {
    throwShape(op, inputs, "values [rows, channels, length, ..] and a weight [out, in, width]");
  }
}

TensorType conv1dType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("conv1d", inputs);
  const Shape& weight = inputs[1].shape;
  requireConv("conv1d", inputs, inputs[0].shape, weight, 1);
  Shape shape = inputs[0].shape;
  shape[1] = weight[0];
  return {DType::kFloat32, shape};
}

// Inputs: the gradient of the output, and the weight.
TensorType inputGradientType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("conv1d_input_gradient", inputs);
  const Shape& weight = inputs[1].shape;
  requireConv("conv1d_input_gradient", inputs, inputs[0].shape, weight, 0);
  Shape shape = inputs[0].shape;
  shape[1] = weight[1];
  return {DType::kFloat32, shape};
}

// Inputs: the gradient of the output, the input, and the weight for its shape.
TensorType weightGradientType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("conv1d_weight_gradient", inputs);
  const Shape& weight = inputs[2].shape;
  requireConv("conv1d_weight_gradient", inputs, inputs[1].shape, weight, 1);
  Shape shape = inputs[1].shape;
  shape[1] = weight[0];
  if (inputs[0].shape != shape) {
    throwShape("conv1d_weight_gradient", inputs, toString(shape) + " first");
  }
  return inputs[2];
}

// `value` is the input, or of the input's sizes but for the channels.
cpu::Conv1dShape shapeOf(const TensorView& value, const TensorView& weight) {
  return {value.shape[0],  weight.shape[1], weight.shape[0],
          weight.shape[2], value.shape[2],  innerSize(value.shape, 3)};
}

void conv1dKernel(const RunContext& context, const Attributes&, std::span<const TensorView> inputs,
                  const TensorView& output) {
  cpu::conv1d(context.pool, shapeOf(inputs[0], inputs[1]), inputs[0].f32(), inputs[1].f32(),
              output.f32());
}

void inputGradientKernel(const RunContext& context, const Attributes&,
                         std::span<const TensorView> inputs, const TensorView& output) {
  cpu::conv1dInputGradient(context.pool, shapeOf(inputs[0], inputs[1]), inputs[0].f32(),
                           inputs[1].f32(), output.f32());
}

void weightGradientKernel(const RunContext& context, const Attributes&,
                          std::span<const TensorView> inputs, const TensorView& output) {
  cpu::conv1dWeightGradient(context.pool, shapeOf(inputs[0], inputs[2]), inputs[0].f32(),
                            inputs[1].f32(), output.f32());
}

std::vector<ValueId> conv1dBackward(Graph& graph, ValueId node, ValueId gradient,
                                    std::span<const bool> wanted) {
  const ValueId x = graph[node].inputs[0];
  const ValueId weight = graph[node].inputs[1];
  std::vector<ValueId> gradients(2, kNoValue);
  if (wanted[0]) gradients[0] = graph.add("conv1d_input_gradient", {gradient, weight});
  if (wanted[1]) gradients[1] = graph.add("conv1d_weight_gradient", {gradient, x, weight});
  return gradients;
}

}  // namespace

void registerConvOps(OpRegistry& registry) {
  registry.add({"conv1d", 2, 2, conv1dType, conv1dBackward, conv1dKernel});
  registry.add({"conv1d_input_gradient", 2, 2, inputGradientType, nullptr, inputGradientKernel});
  registry.add({"conv1d_weight_gradient", 3, 3, weightGradientType, nullptr, weightGradientKernel});
}

}  // namespace polydomain
