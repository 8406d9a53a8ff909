// Matrix products. "linear" carries the whole layer: bias, relu and dropout run in the product's
// epilogue (attributes relu, keep, stream).

#include "cpu/gemm.h"
#include "cpu/reduce.h"
#include "cpu/transpose.h"
#include "layer.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

using cpu::Transpose;

// All dimensions but the last.
Shape leading(const Shape& shape) { return {shape.begin(), shape.end() - 1}; }

Transpose transposed(bool yes) { return yes ? Transpose::kYes : Transpose::kNo; }

double keepOf(const char* op, const Attributes& attributes) {
  const auto keep = attributes.get<double>("keep", 1.0);
  if (keep > 0.0 && keep <= 1.0) return keep;
  throw Error(ErrorKind::kConfig, std::string(op) + ": keep " + std::to_string(keep) +
                                      "; expected a probability in (0, 1]");
}

TensorType linearType(const Attributes& attributes, std::span<const TensorType> inputs) {
  return layerType("linear", attributes, inputs);
}

void linearKernel(const RunContext& context, const Attributes& attributes,
                  std::span<const TensorView> inputs, const TensorView& output) {
  cpu::GemmEpilogue epilogue = activationOf(context, attributes);
  if (inputs.size() == 3) epilogue.bias = inputs[2].f32();
  const int64_t in = inputs[1].shape[1];
  cpu::gemm(context.pool, Transpose::kNo, Transpose::kYes, matrixRows(inputs[0]),
            inputs[1].shape[0], in, inputs[0].f32(), matrixStride(inputs[0]), inputs[1].f32(), in,
            output.f32(), matrixStride(output), epilogue, true);
}

std::vector<ValueId> linearBackward(Graph& graph, ValueId node, ValueId gradient,
                                    std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  gradient = activationGradient(graph, node, gradient);
  std::vector<ValueId> gradients(in.size(), kNoValue);
  if (wanted[0]) gradients[0] = graph.add("linear_input_gradient", {gradient, in[1]});
  if (wanted[1]) gradients[1] = graph.add("linear_weight_gradient", {gradient, in[0]});
  if (in.size() == 3 && wanted[2]) gradients[2] = graph.add("column_sum", {gradient});
  return gradients;
}

// dX = dZ W. With a third input, the stored output of the relu and dropout below, and that layer's
// keep, the result passes through their gradient (see GemmEpilogue::gate).
TensorType inputGradientType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireFloat32("linear_input_gradient", inputs);
  requireRank("linear_input_gradient", inputs, 1, 2);
  if (inputs[0].shape.empty() || inputs[0].shape.back() != inputs[1].shape[0]) {
    throwShape("linear_input_gradient", inputs, "a gradient [rows.., out] and a weight [out, in]");
  }
  Shape shape = leading(inputs[0].shape);
  shape.push_back(inputs[1].shape[1]);
  if (inputs.size() == 3) {
    if (inputs[2].shape != shape) {
      throwShape("linear_input_gradient", inputs, "a gate " + toString(shape));
    }
    keepOf("linear_input_gradient", attributes);
  }
  return {DType::kFloat32, shape};
}

void inputGradientKernel(const RunContext& context, const Attributes& attributes,
                         std::span<const TensorView> inputs, const TensorView& output) {
  cpu::GemmEpilogue epilogue;
  if (inputs.size() == 3) {
    epilogue.gate = inputs[2].f32();
    epilogue.gateStride = matrixStride(inputs[2]);
    epilogue.gateScale = 1.0f / static_cast<float>(attributes.get<double>("keep", 1.0));
  }
  const int64_t out = inputs[1].shape[0];
  const int64_t in = inputs[1].shape[1];
  cpu::gemm(context.pool, Transpose::kNo, Transpose::kNo, matrixRows(inputs[0]), in, out,
            inputs[0].f32(), matrixStride(inputs[0]), inputs[1].f32(), in, output.f32(),
            matrixStride(output), epilogue, true);
}

// dW = dZ' X.
TensorType weightGradientType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("linear_weight_gradient", inputs);
  if (inputs[0].shape.empty() || inputs[1].shape.empty() ||
      leading(inputs[0].shape) != leading(inputs[1].shape)) {
    throwShape("linear_weight_gradient", inputs,
               "a gradient [rows.., out] and an input [rows.., in]");
  }
  return {DType::kFloat32, {inputs[0].shape.back(), inputs[1].shape.back()}};
}

void weightGradientKernel(const RunContext& context, const Attributes&,
                          std::span<const TensorView> inputs, const TensorView& output) {
  cpu::gemm(context.pool, Transpose::kYes, Transpose::kNo, output.shape[0], output.shape[1],
            matrixRows(inputs[0]), inputs[0].f32(), matrixStride(inputs[0]), inputs[1].f32(),
            matrixStride(inputs[1]), output.f32(), output.shape[1], {}, true);
}

TensorType columnSumType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("column_sum", inputs);
  if (inputs[0].shape.empty()) throwShape("column_sum", inputs, "[rows.., columns]");
  return {DType::kFloat32, {inputs[0].shape.back()}};
}

void columnSumKernel(const RunContext& context, const Attributes&,
                     std::span<const TensorView> inputs, const TensorView& output) {
  cpu::sumMiddle(context.pool, inputs[0].f32(), 1, matrixRows(inputs[0]), output.shape[0], 1.0,
                 output.f32());
}

TensorType matmulType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireFloat32("matmul", inputs);
  requireRank("matmul", inputs, 0, 2);
  requireRank("matmul", inputs, 1, 2);
  const bool ta = attributes.get<bool>("transposeA", false);
  const bool tb = attributes.get<bool>("transposeB", false);
  const int64_t m = inputs[0].shape[ta ? 1 : 0];
  const int64_t n = inputs[1].shape[tb ? 0 : 1];
  if (inputs[0].shape[ta ? 0 : 1] != inputs[1].shape[tb ? 1 : 0]) {
    throwShape("matmul", inputs,
               "equal inner dimensions (transposeA " + std::to_string(ta) + ", transposeB " +
                   std::to_string(tb) + ")");
  }
  if (n == kRows) throwShape("matmul", inputs, "the run-time rows not as the result's columns");
  return {DType::kFloat32, {m, n}};
}

void matmulKernel(const RunContext& context, const Attributes& attributes,
                  std::span<const TensorView> inputs, const TensorView& output) {
  const bool ta = attributes.get<bool>("transposeA", false);
  const bool tb = attributes.get<bool>("transposeB", false);
  cpu::gemm(context.pool, transposed(ta), transposed(tb), output.shape[0], output.shape[1],
            inputs[0].shape[ta ? 0 : 1], inputs[0].f32(), inputs[0].rowStride, inputs[1].f32(),
            inputs[1].rowStride, output.f32(), output.rowStride);
}

std::vector<ValueId> matmulBackward(Graph& graph, ValueId node, ValueId gradient,
                                    std::span<const bool> wanted) {
  const ValueId a = graph[node].inputs[0];
  const ValueId b = graph[node].inputs[1];
  const bool ta = graph[node].attributes.get<bool>("transposeA", false);
  const bool tb = graph[node].attributes.get<bool>("transposeB", false);
  const auto product = [&](ValueId left, bool tl, ValueId right, bool tr) {
    return graph.add("matmul", {left, right}, {{"transposeA", tl}, {"transposeB", tr}});
  };
  std::vector<ValueId> gradients(2, kNoValue);
  if (wanted[0]) {
    gradients[0] = ta ? product(b, tb, gradient, true) : product(gradient, false, b, !tb);
  }
  if (wanted[1]) {
    gradients[1] = tb ? product(gradient, true, a, ta) : product(a, !ta, gradient, false);
  }
  return gradients;
}

TensorType transposeType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("transpose", inputs);
  requireRank("transpose", inputs, 0, 2);
  if (inputs[0].shape[0] == kRows) {
    throwShape("transpose", inputs, "fixed sizes; matmul reads run-time rows with transposeA");
  }
  return {DType::kFloat32, {inputs[0].shape[1], inputs[0].shape[0]}};
}

void transposeKernel(const RunContext& context, const Attributes&,
                     std::span<const TensorView> inputs, const TensorView& output) {
  cpu::transpose(context.pool, inputs[0].f32(), output.shape[1], output.shape[0], output.f32());
}

std::vector<ValueId> transposeBackward(Graph& graph, ValueId, ValueId gradient,
                                       std::span<const bool>) {
  return {graph.add("transpose", {gradient})};
}

}  // namespace

TensorType layerType(const char* op, const Attributes& attributes,
                     std::span<const TensorType> inputs) {
  requireFloat32(op, inputs);
  if (inputs[0].shape.empty()) throwShape(op, inputs, "input 0 [rows.., in]");
  requireRank(op, inputs, 1, 2);
  const int64_t in = inputs[0].shape.back();
  const int64_t out = inputs[1].shape[0];
  if (inputs[1].shape[1] != in || in == kRows || out == kRows) {
    throwShape(op, inputs, "a weight [out, in] whose in is the input's last dimension");
  }
  if (inputs.size() == 3 && inputs[2].shape != Shape{out}) {
    throwShape(op, inputs, "a bias " + toString({out}));
  }
  if (keepOf(op, attributes) < 1.0) attributes.get<int64_t>("stream");
  Shape shape = leading(inputs[0].shape);
  shape.push_back(out);
  return {DType::kFloat32, shape};
}

cpu::GemmEpilogue activationOf(const RunContext& context, const Attributes& attributes) {
  cpu::GemmEpilogue epilogue;
  epilogue.relu = attributes.get<bool>("relu", false);
  epilogue.keep = static_cast<float>(attributes.get<double>("keep", 1.0));
  if (epilogue.keep < 1.0f) {
    epilogue.dropoutKey = {context.seed, static_cast<uint64_t>(attributes.get<int64_t>("stream")),
                           context.step};
  }
  return epilogue;
}

ValueId activationGradient(Graph& graph, ValueId layer, ValueId gradient) {
  const Attributes attributes = graph[layer].attributes;
  const auto keep = attributes.get<double>("keep", 1.0);
  if (attributes.get<bool>("relu", false)) {
    return graph.add("activation_gradient", {gradient, layer}, {{"keep", keep}});
  }
  if (keep == 1.0) return gradient;
  return graph.add("dropout_gradient", {gradient},
                   {{"keep", keep}, {"stream", attributes.get<int64_t>("stream")}});
}

void registerLinearOps(OpRegistry& registry) {
  registry.add({"linear", 2, 3, linearType, linearBackward, linearKernel});
  registry.add({"linear_input_gradient", 2, 3, inputGradientType, nullptr, inputGradientKernel});
  registry.add({"linear_weight_gradient", 2, 2, weightGradientType, nullptr, weightGradientKernel});
  registry.add({"column_sum", 1, 1, columnSumType, nullptr, columnSumKernel});
  registry.add({"matmul", 2, 2, matmulType, matmulBackward, matmulKernel});
  registry.add({"transpose", 1, 1, transposeType, transposeBackward, transposeKernel});
}

}  // namespace polydomain
