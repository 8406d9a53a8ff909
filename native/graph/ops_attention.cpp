// Fields of a row attend to each other: values [rows, fields, heads * dim], attribute heads.

#include "cpu/attention.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

int64_t headsOf(const char* op, const Attributes& attributes, const Shape& shape) {
  const auto heads = attributes.get<int64_t>("heads");
  if (heads > 0 && shape.back() % heads == 0) return heads;
  throw Error(ErrorKind::kConfig, std::string(op) + ": heads " + std::to_string(heads) +
                                      "; expected a divisor of the " +
                                      std::to_string(shape.back()) + " values of a field");
}

template <OpName name>
void requireFields(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireFloat32(name.text, inputs);
  for (const TensorType& input : inputs) {
    if (input.shape.size() != 3 || input.shape[1] < 1 || input.shape[2] < 1 || input != inputs[0]) {
      throwShape(name.text, inputs, "equal shapes [rows, fields, values] without empty fields");
    }
  }
  headsOf(name.text, attributes, inputs[0].shape);
}

// Inputs: query, key and value.
TensorType attentionType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireFields<"attention">(attributes, inputs);
  return inputs[0];
}

// Inputs: the gradient of the output, query, key and value. Output: those of the latter three, side
// by side.
TensorType gradientType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireFields<"attention_gradient">(attributes, inputs);
  Shape shape = inputs[0].shape;
  shape[2] *= 3;
  return {DType::kFloat32, shape};
}

cpu::AttentionShape shapeOf(const Attributes& attributes, const Shape& shape) {
  const int64_t heads = headsOf("attention", attributes, shape);
  return {shape[0], shape[1], heads, shape[2] / heads};
}

void attentionKernel(const RunContext& context, const Attributes& attributes,
                     std::span<const TensorView> inputs, const TensorView& output) {
  cpu::attention(context.pool, shapeOf(attributes, inputs[0].shape), inputs[0].f32(),
                 inputs[1].f32(), inputs[2].f32(), output.f32());
}

void gradientKernel(const RunContext& context, const Attributes& attributes,
                    std::span<const TensorView> inputs, const TensorView& output) {
  cpu::attentionGradient(context.pool, shapeOf(attributes, inputs[0].shape), inputs[0].f32(),
                         inputs[1].f32(), inputs[2].f32(), inputs[3].f32(), output.f32());
}

std::vector<ValueId> attentionBackward(Graph& graph, ValueId node, ValueId gradient,
                                       std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  const auto heads = graph[node].attributes.get<int64_t>("heads");
  const int64_t width = graph[node].type.shape.back();
  const ValueId all =
      graph.add("attention_gradient", {gradient, in[0], in[1], in[2]}, {{"heads", heads}});
  std::vector<ValueId> gradients(3, kNoValue);
  for (size_t i = 0; i < 3; ++i) {
    if (!wanted[i]) continue;
    const int64_t start = static_cast<int64_t>(i) * width;
    gradients[i] = graph.add("slice", {all}, {{"start", start}, {"length", width}});
  }
  return gradients;
}

}  // namespace

void registerAttentionOps(OpRegistry& registry) {
  registry.add({"attention", 3, 3, attentionType, attentionBackward, attentionKernel});
  registry.add({"attention_gradient", 4, 4, gradientType, nullptr, gradientKernel});
}

}  // namespace polydomain
