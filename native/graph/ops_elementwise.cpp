// Elementwise ops: binary ones broadcast as NumPy does; the gradients of nonlinear ones are ops of
// two operands of one shape, the output's gradient and what the forward pass left (y or x).

#include "cpu/elementwise.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

using cpu::Binary;
using cpu::Parameters;
using cpu::Unary;

template <OpName name>
TensorType broadcastType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32(name.text, inputs);
  return {DType::kFloat32, broadcastShape(name.text, inputs)};
}

template <OpName name>
TensorType clipType(const Attributes& attributes, std::span<const TensorType> inputs) {
  const auto low = attributes.get<double>("min");
  const auto high = attributes.get<double>("max");
  if (!(low <= high)) {
    throw Error(ErrorKind::kConfig, std::string(name.text) + ": min " + std::to_string(low) +
                                        " and max " + std::to_string(high) +
                                        "; expected min <= max");
  }
  return sameType<name>(attributes, inputs);
}

TensorType fillType(const Attributes& attributes, std::span<const TensorType>) {
  attributes.get<double>("value");
  const auto shape = attributes.get<std::vector<int64_t>>("shape");
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0 && !(i == 0 && shape[i] == kRows)) {
      throw Error(ErrorKind::kShape, "fill: shape " + toString(shape) +
                                         "; expected sizes >= 0, the leading one possibly rows");
    }
  }
  return {DType::kFloat32, shape};
}

template <Unary function>
Parameters unaryParameters([[maybe_unused]] const Attributes& attributes) {
  [[maybe_unused]] const auto number = [&](const char* name) {
    return static_cast<float>(attributes.get<double>(name));
  };
  if constexpr (function == Unary::kScale) return {number("factor"), 0.0f};
  if constexpr (function == Unary::kAddScalar) return {number("value"), 0.0f};
  if constexpr (function == Unary::kPower) return {number("exponent"), 0.0f};
  if constexpr (function == Unary::kClip) return {number("min"), number("max")};
  return {};
}

template <Binary function>
Parameters binaryParameters([[maybe_unused]] const Attributes& attributes) {
  [[maybe_unused]] const auto number = [&](const char* name) {
    return static_cast<float>(attributes.get<double>(name));
  };
  if constexpr (function == Binary::kClipGradient) return {number("min"), number("max")};
  if constexpr (function == Binary::kActivationGradient) return {1.0f / number("keep"), 0.0f};
  return {};
}

// Reading the parameters here reports a missing one when the graph is built.
template <OpName name, Unary function>
TensorType unaryType(const Attributes& attributes, std::span<const TensorType> inputs) {
  unaryParameters<function>(attributes);
  return sameType<name>(attributes, inputs);
}

template <OpName name, Binary function>
TensorType gradientType(const Attributes& attributes, std::span<const TensorType> inputs) {
  binaryParameters<function>(attributes);
  return sameType<name>(attributes, inputs);
}

template <Unary function>
void unaryKernel(const RunContext& context, const Attributes& attributes,
                 std::span<const TensorView> inputs, const TensorView& output) {
  cpu::unary(context.pool, function, unaryParameters<function>(attributes), inputs[0].f32(),
             output.f32(), output.size());
}

template <Binary function>
void binaryKernel(const RunContext& context, const Attributes& attributes,
                  std::span<const TensorView> inputs, const TensorView& output) {
  cpu::binary(context.pool, function, binaryParameters<function>(attributes), inputs[0], inputs[1],
              output);
}

template <int value>
void constantKernel(const RunContext& context, const Attributes&, std::span<const TensorView>,
                    const TensorView& output) {
  cpu::fill(context.pool, static_cast<float>(value), output.f32(), output.size());
}

void fillKernel(const RunContext& context, const Attributes& attributes,
                std::span<const TensorView>, const TensorView& output) {
  cpu::fill(context.pool, static_cast<float>(attributes.get<double>("value")), output.f32(),
            output.size());
}

std::vector<ValueId> addBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  return {wanted[0] ? sumToLike(graph, gradient, in[0]) : kNoValue,
          wanted[1] ? sumToLike(graph, gradient, in[1]) : kNoValue};
}

std::vector<ValueId> subBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  return {wanted[0] ? sumToLike(graph, gradient, in[0]) : kNoValue,
          wanted[1] ? graph.add("neg", {sumToLike(graph, gradient, in[1])}) : kNoValue};
}

std::vector<ValueId> mulBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  const auto side = [&](int self, int other) {
    if (!wanted[static_cast<size_t>(self)]) return kNoValue;
    return sumToLike(graph, graph.add("mul", {gradient, in[static_cast<size_t>(other)]}),
                     in[static_cast<size_t>(self)]);
  };
  const ValueId a = side(0, 1);
  return {a, side(1, 0)};
}

// d(a / b) = da / b - (a / b) db / b.
std::vector<ValueId> divBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  std::vector<ValueId> gradients(2, kNoValue);
  const ValueId scaled = graph.add("div", {gradient, in[1]});
  if (wanted[0]) gradients[0] = sumToLike(graph, scaled, in[0]);
  if (wanted[1]) {
    gradients[1] = graph.add("neg", {sumToLike(graph, graph.add("mul", {scaled, node}), in[1])});
  }
  return gradients;
}

// The chosen operand gets the gradient; a tie shares it in halves, as PyTorch does.
template <bool maximum>
std::vector<ValueId> extremumBackward(Graph& graph, ValueId node, ValueId gradient,
                                      std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  const auto side = [&](ValueId self, ValueId other) {
    const ValueId chosen =
        maximum ? graph.add("step", {self, other}) : graph.add("step", {other, self});
    return sumToLike(graph, graph.add("mul", {gradient, chosen}), self);
  };
  const ValueId a = wanted[0] ? side(in[0], in[1]) : kNoValue;
  const ValueId b = wanted[1] ? side(in[1], in[0]) : kNoValue;
  return {a, b};
}

std::vector<ValueId> passBackward(Graph&, ValueId, ValueId gradient, std::span<const bool>) {
  return {gradient};
}

std::vector<ValueId> negBackward(Graph& graph, ValueId, ValueId gradient, std::span<const bool>) {
  return {graph.add("neg", {gradient})};
}

std::vector<ValueId> expBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool>) {
  return {graph.add("mul", {gradient, node})};
}

std::vector<ValueId> logBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool>) {
  return {graph.add("div", {gradient, graph[node].inputs[0]})};
}

// gradientOp(gradient, y, attributes of the forward op).
template <OpName gradientOp>
std::vector<ValueId> fromOutput(Graph& graph, ValueId node, ValueId gradient,
                                std::span<const bool>) {
  const Attributes attributes = graph[node].attributes;
  return {graph.add(gradientOp.text, {gradient, node}, attributes)};
}

// gradientOp(gradient, x, attributes of the forward op).
template <OpName gradientOp>
std::vector<ValueId> fromInput(Graph& graph, ValueId node, ValueId gradient,
                               std::span<const bool>) {
  const Attributes attributes = graph[node].attributes;
  return {graph.add(gradientOp.text, {gradient, graph[node].inputs[0]}, attributes)};
}

std::vector<ValueId> scaleBackward(Graph& graph, ValueId node, ValueId gradient,
                                   std::span<const bool>) {
  const Attributes attributes = graph[node].attributes;
  return {graph.add("scale", {gradient}, attributes)};
}

std::vector<ValueId> powBackward(Graph& graph, ValueId node, ValueId gradient,
                                 std::span<const bool>) {
  const auto exponent = graph[node].attributes.get<double>("exponent");
  const ValueId x = graph[node].inputs[0];
  const ValueId power = graph.add("pow_scalar", {x}, {{"exponent", exponent - 1.0}});
  return {graph.add("scale", {graph.add("mul", {gradient, power})}, {{"factor", exponent}})};
}

template <OpName name, Unary function>
void addUnary(OpRegistry& registry, BackwardRule backward,
              TypeRule type = unaryType<name, function>) {
  registry.add({name.text, 1, 1, type, backward, unaryKernel<function>, true});
}

template <OpName name, Binary function>
void addBinary(OpRegistry& registry, BackwardRule backward) {
  registry.add({name.text, 2, 2, broadcastType<name>, backward, binaryKernel<function>, true});
}

template <OpName name, Binary function>
void addGradient(OpRegistry& registry, TypeRule type = gradientType<name, function>) {
  registry.add({name.text, 2, 2, type, nullptr, binaryKernel<function>, true});
}

}  // namespace

void registerElementwiseOps(OpRegistry& registry) {
  addBinary<"add", Binary::kAdd>(registry, addBackward);
  addBinary<"sub", Binary::kSub>(registry, subBackward);
  addBinary<"mul", Binary::kMul>(registry, mulBackward);
  addBinary<"div", Binary::kDiv>(registry, divBackward);
  addBinary<"maximum", Binary::kMaximum>(registry, extremumBackward<true>);
  addBinary<"minimum", Binary::kMinimum>(registry, extremumBackward<false>);
  addBinary<"step", Binary::kStep>(registry, nullptr);

  addUnary<"neg", Unary::kNeg>(registry, negBackward);
  addUnary<"exp", Unary::kExp>(registry, expBackward);
  addUnary<"log", Unary::kLog>(registry, logBackward);
  addUnary<"sqrt", Unary::kSqrt>(registry, fromOutput<"sqrt_gradient">);
  addUnary<"square", Unary::kSquare>(registry, fromInput<"square_gradient">);
  addUnary<"abs", Unary::kAbs>(registry, fromInput<"abs_gradient">);
  addUnary<"relu", Unary::kRelu>(registry, fromOutput<"relu_gradient">);
  addUnary<"sigmoid", Unary::kSigmoid>(registry, fromOutput<"sigmoid_gradient">);
  addUnary<"tanh", Unary::kTanh>(registry, fromOutput<"tanh_gradient">);
  addUnary<"softplus", Unary::kSoftplus>(registry, fromInput<"softplus_gradient">);
  addUnary<"reciprocal", Unary::kReciprocal>(registry, fromOutput<"reciprocal_gradient">);
  addUnary<"scale", Unary::kScale>(registry, scaleBackward);
  addUnary<"add_scalar", Unary::kAddScalar>(registry, passBackward);
  addUnary<"pow_scalar", Unary::kPower>(registry, powBackward);
  addUnary<"clip", Unary::kClip>(registry, fromInput<"clip_gradient">, clipType<"clip">);

  addGradient<"relu_gradient", Binary::kReluGradient>(registry);
  addGradient<"sigmoid_gradient", Binary::kSigmoidGradient>(registry);
  addGradient<"tanh_gradient", Binary::kTanhGradient>(registry);
  addGradient<"sqrt_gradient", Binary::kSqrtGradient>(registry);
  addGradient<"reciprocal_gradient", Binary::kReciprocalGradient>(registry);
  addGradient<"square_gradient", Binary::kSquareGradient>(registry);
  addGradient<"abs_gradient", Binary::kAbsGradient>(registry);
  addGradient<"softplus_gradient", Binary::kSoftplusGradient>(registry);
  addGradient<"clip_gradient", Binary::kClipGradient>(registry, clipType<"clip_gradient">);
  addGradient<"activation_gradient", Binary::kActivationGradient>(registry);

  registry.add({"ones_like", 1, 1, sameType<"ones_like">, nullptr, constantKernel<1>, true});
  registry.add({"zeros_like", 1, 1, sameType<"zeros_like">, nullptr, constantKernel<0>, true});
  registry.add({"fill", 0, 0, fillType, nullptr, fillKernel, false});
}

}  // namespace polydomain
