// Dropout: attributes keep (probability) and stream (the node's random sequence). The element mask
// is that of a linear node with the same keep and stream.

#include "cpu/dropout.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

template <OpName name>
TensorType dropoutType(const Attributes& attributes, std::span<const TensorType> inputs) {
  const auto keep = attributes.get<double>("keep");
  attributes.get<int64_t>("stream");
  if (!(keep > 0.0 && keep <= 1.0)) {
    throw Error(ErrorKind::kConfig, std::string(name.text) + ": keep " + std::to_string(keep) +
                                        "; expected a probability in (0, 1]");
  }
  return sameType<name>(attributes, inputs);
}

void dropoutKernel(const RunContext& context, const Attributes& attributes,
                   std::span<const TensorView> inputs, const TensorView& output) {
  const RandomKey key{context.seed, static_cast<uint64_t>(attributes.get<int64_t>("stream")),
                      context.step};
  cpu::dropout(context.pool, key, static_cast<float>(attributes.get<double>("keep")),
               inputs[0].f32(), output.f32(), output.size());
}

std::vector<ValueId> dropoutBackward(Graph& graph, ValueId node, ValueId gradient,
                                     std::span<const bool>) {
  const Attributes attributes = graph[node].attributes;
  return {graph.add("dropout_gradient", {gradient}, attributes)};
}

}  // namespace

void registerDropoutOps(OpRegistry& registry) {
  registry.add({"dropout", 1, 1, dropoutType<"dropout">, dropoutBackward, dropoutKernel, true});
  registry.add({"dropout_gradient", 1, 1, dropoutType<"dropout_gradient">, dropoutBackward,
                dropoutKernel, true});
}

}  // namespace polydomain
