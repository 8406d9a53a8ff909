// Sums, means and maxima over one axis (attribute axis) or, without it, over everything; the k
// largest along an axis; softmax.

#include <algorithm>
#include <limits>

#include "cpu/k_max.h"
#include "cpu/reduce.h"
#include "cpu/softmax.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

template <OpName name>
TensorType reducedType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireFloat32(name.text, inputs);
  Shape shape = inputs[0].shape;
  const auto keepDims = attributes.get<bool>("keepDims", false);
  if (!attributes.has("axis")) {
    return {DType::kFloat32, keepDims ? Shape(shape.size(), 1) : Shape{}};
  }
  const size_t axis = axisIndex(name.text, inputs, attributes.get<int64_t>("axis"));
  if (keepDims) {
    shape[axis] = 1;
  } else {
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  return {DType::kFloat32, shape};
}

template <OpName name>
TensorType maxType(const Attributes& attributes, std::span<const TensorType> inputs) {
  const TensorType type = reducedType<name>(attributes, inputs);
  const Shape& shape = inputs[0].shape;
  Shape reduced = shape;
  if (attributes.has("axis")) {
    reduced = {shape[axisIndex(name.text, inputs, attributes.get<int64_t>("axis"))]};
  }
  const bool fixed =
      std::all_of(reduced.begin(), reduced.end(), [](int64_t size) { return size > 0; });
  if (!fixed) throwShape(name.text, inputs, "fixed sizes above 0: no maximum of nothing");
  return type;
}

// Inputs: the gradient of the reduced value, then what had been reduced.
template <OpName name>
TensorType spreadType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireFloat32(name.text, inputs);
  const TensorType reduced = reducedType<name>(attributes, inputs.subspan(1, 1));
  if (inputs[0] != reduced) throwShape(name.text, inputs, toString(reduced.shape) + " first");
  return inputs[1];
}

template <bool mean>
void sumKernel(const RunContext& context, const Attributes& attributes,
               std::span<const TensorView> inputs, const TensorView& output) {
  const Middle m = middleOf(attributes, inputs[0].shape);
  const double scale = mean && m.reduced > 0 ? 1.0 / static_cast<double>(m.reduced) : 1.0;
  cpu::sumMiddle(context.pool, inputs[0].f32(), m.outer, m.reduced, m.inner, scale, output.f32());
}

template <bool mean>
void sumGradientKernel(const RunContext& context, const Attributes& attributes,
                       std::span<const TensorView> inputs, const TensorView& output) {
  const Middle m = middleOf(attributes, output.shape);
  const double scale = mean && m.reduced > 0 ? 1.0 / static_cast<double>(m.reduced) : 1.0;
  cpu::spreadMiddle(context.pool, inputs[0].f32(), m.outer, m.reduced, m.inner,
                    static_cast<float>(scale), output.f32());
}

void maxKernel(const RunContext& context, const Attributes& attributes,
               std::span<const TensorView> inputs, const TensorView& output) {
  const Middle m = middleOf(attributes, inputs[0].shape);
  cpu::maxMiddle(context.pool, inputs[0].f32(), m.outer, m.reduced, m.inner, output.f32());
}

void maxGradientKernel(const RunContext& context, const Attributes& attributes,
                       std::span<const TensorView> inputs, const TensorView& output) {
  const Middle m = middleOf(attributes, output.shape);
  cpu::maxMiddleGradient(context.pool, inputs[0].f32(), inputs[1].f32(), inputs[2].f32(), m.outer,
                         m.reduced, m.inner, output.f32());
}

TensorType maxGradientType(const Attributes& attributes, std::span<const TensorType> inputs) {
  const TensorType reduced = maxType<"max_gradient">(attributes, inputs.subspan(1, 1));
  if (inputs[0] != reduced || inputs[2] != reduced) {
    throwShape("max_gradient", inputs, toString(reduced.shape) + " first and last");
  }
  return inputs[1];
}

int64_t kOf(const Attributes& attributes) {
  const auto k = attributes.get<int64_t>("k");
  if (k >= 1) return k;
  throw Error(ErrorKind::kConfig,
              "k_max_pool: k " + std::to_string(k) + "; expected an integer of 1 at least");
}

template <OpName name>
TensorType kMaxType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireFloat32(name.text, inputs);
  const int64_t k = kOf(attributes);
  Shape shape = inputs[0].shape;
  int64_t& size = shape[axisIndex(name.text, inputs, attributes.get<int64_t>("axis"))];
  if (size < k) {  // kRows too
    throwShape(name.text, inputs, "a fixed size of " + std::to_string(k) + " at least (k)");
  }
  size = k;
  return {DType::kFloat32, shape};
}

// Inputs: the gradient of the pooled value, then what had been pooled.
TensorType kMaxGradientType(const Attributes& attributes, std::span<const TensorType> inputs) {
  const TensorType pooled = kMaxType<"k_max_pool_gradient">(attributes, inputs.subspan(1, 1));
  if (inputs[0] != pooled) {
    throwShape("k_max_pool_gradient", inputs, toString(pooled.shape) + " first");
  }
  return inputs[1];
}

cpu::KMaxShape kMaxShapeOf(const Attributes& attributes, const TensorView& x) {
  const Middle m = middleOf(attributes, x.shape);
  return {m.outer, m.reduced, m.inner, kOf(attributes)};
}

void kMaxKernel(const RunContext& context, const Attributes& attributes,
                std::span<const TensorView> inputs, const TensorView& output) {
  cpu::kMax(context.pool, kMaxShapeOf(attributes, inputs[0]), inputs[0].f32(), output.f32());
}

void kMaxGradientKernel(const RunContext& context, const Attributes& attributes,
                        std::span<const TensorView> inputs, const TensorView& output) {
  cpu::kMaxGradient(context.pool, kMaxShapeOf(attributes, inputs[1]), inputs[0].f32(),
                    inputs[1].f32(), output.f32());
}

std::vector<ValueId> kMaxBackward(Graph& graph, ValueId node, ValueId gradient,
                                  std::span<const bool>) {
  const Attributes attributes = graph[node].attributes;
  return {graph.add("k_max_pool_gradient", {gradient, graph[node].inputs[0]}, attributes)};
}

void sumToLikeKernel(const RunContext& context, const Attributes&,
                     std::span<const TensorView> inputs, const TensorView& output) {
  cpu::sumToShape(context.pool, inputs[0], output);
}

TensorType sumToLikeType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("sum_to_like", inputs);
  if (broadcastShape("sum_to_like", inputs) != inputs[0].shape) {
    throwShape("sum_to_like", inputs, "an input 1 that broadcasts to input 0");
  }
  return inputs[1];
}

template <bool mean>
std::vector<ValueId> sumBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool>) {
  const Attributes attributes = graph[node].attributes;
  const ValueId x = graph[node].inputs[0];
  return {graph.add(mean ? "mean_gradient" : "sum_gradient", {gradient, x}, attributes)};
}

std::vector<ValueId> maxBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool>) {
  const Attributes attributes = graph[node].attributes;
  const ValueId x = graph[node].inputs[0];
  return {graph.add("max_gradient", {gradient, x, node}, attributes)};
}

std::vector<ValueId> sumToLikeBackward(Graph& graph, ValueId node, ValueId gradient,
                                       std::span<const bool>) {
  const ValueId x = graph[node].inputs[0];
  return {graph.add("mul", {graph.add("ones_like", {x}), gradient}), kNoValue};
}

template <OpName name>
TensorType softmaxType(const Attributes& attributes, std::span<const TensorType> inputs) {
  const TensorType type = sameType<name>(attributes, inputs);
  if (type.shape.empty() || type.shape.back() == 0 || type.shape.back() == kRows) {
    throwShape(name.text, inputs, "a last dimension of fixed size above 0");
  }
  return type;
}

template <bool logarithm>
void softmaxKernel(const RunContext& context, const Attributes&, std::span<const TensorView> inputs,
                   const TensorView& output) {
  const int64_t width = output.shape.back();
  cpu::softmax(context.pool, logarithm, inputs[0].f32(), output.f32(), output.size() / width,
               width);
}

template <bool logarithm>
void softmaxGradientKernel(const RunContext& context, const Attributes&,
                           std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t width = output.shape.back();
  cpu::softmaxGradient(context.pool, logarithm, inputs[0].f32(), inputs[1].f32(), output.f32(),
                       output.size() / width, width);
}

template <bool logarithm>
std::vector<ValueId> softmaxBackward(Graph& graph, ValueId node, ValueId gradient,
                                     std::span<const bool>) {
  return {graph.add(logarithm ? "log_softmax_gradient" : "softmax_gradient", {gradient, node})};
}

}  // namespace

void registerReduceOps(OpRegistry& registry) {
  registry.add({"sum", 1, 1, reducedType<"sum">, sumBackward<false>, sumKernel<false>});
  registry.add({"mean", 1, 1, reducedType<"mean">, sumBackward<true>, sumKernel<true>});
  registry.add(
      {"sum_gradient", 2, 2, spreadType<"sum_gradient">, nullptr, sumGradientKernel<false>});
  registry.add(
      {"mean_gradient", 2, 2, spreadType<"mean_gradient">, nullptr, sumGradientKernel<true>});
  registry.add({"max", 1, 1, maxType<"max">, maxBackward, maxKernel});
  registry.add({"max_gradient", 3, 3, maxGradientType, nullptr, maxGradientKernel});
  registry.add({"k_max_pool", 1, 1, kMaxType<"k_max_pool">, kMaxBackward, kMaxKernel});
  registry.add({"k_max_pool_gradient", 2, 2, kMaxGradientType, nullptr, kMaxGradientKernel});
  registry.add({"sum_to_like", 2, 2, sumToLikeType, sumToLikeBackward, sumToLikeKernel});

  registry.add({"softmax", 1, 1, softmaxType<"softmax">, softmaxBackward<false>,
                softmaxKernel<false>, true});
  registry.add({"log_softmax", 1, 1, softmaxType<"log_softmax">, softmaxBackward<true>,
                softmaxKernel<true>, true});
  registry.add({"softmax_gradient", 2, 2, softmaxType<"softmax_gradient">, nullptr,
                softmaxGradientKernel<false>, true});
  registry.add({"log_softmax_gradient", 2, 2, softmaxType<"log_softmax_gradient">, nullptr,
                softmaxGradientKernel<true>, true});
}

}  // namespace polydomain
