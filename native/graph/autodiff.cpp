#include "polydomain/error.h"
#include "polydomain/graph.h"

namespace polydomain {

namespace {

bool isRowGradient(const Graph& graph, ValueId value) {
  const OpDefinition* op = graph[value].op;
  return op != nullptr && (op->name == "row_gradient" || op->name == "row_gradients");
}

// The sum of two gradients of `of`. Row gradients of one table are collected, not added: the
// program sums them row by row.
ValueId addGradients(Graph& graph, ValueId of, ValueId a, ValueId b) {
  const bool rows = isRowGradient(graph, a);
  if (rows != isRowGradient(graph, b)) {
    throw Error(ErrorKind::kTrace, "parameter '" + graph[of].name +
                                       "' is read by an embedding and by another op; expected a "
                                       "table of its own for the embedding");
  }
  return graph.add(rows ? "row_gradients" : "add", {a, b});
}

// For every node up to `loss`: whether a gradient has to flow through it to reach `values`.
std::vector<bool> reaching(const Graph& graph, ValueId loss, const std::vector<ValueId>& values) {
  std::vector<bool> reaches(static_cast<size_t>(loss) + 1, false);
  for (const ValueId value : values) {
    if (value <= loss) reaches[static_cast<size_t>(value)] = true;
  }
  for (ValueId v = 0; v <= loss; ++v) {
    for (const ValueId input : graph[v].inputs) {
      if (reaches[static_cast<size_t>(input)]) reaches[static_cast<size_t>(v)] = true;
    }
  }
  return reaches;
}

}  // namespace

std::vector<ValueId> appendBackward(Graph& graph, ValueId loss,
                                    const std::vector<ValueId>& values) {
  if (elementCount(graph[loss].type.shape) != 1) {
    throw Error(ErrorKind::kShape,
                "backward: loss " + toString(graph[loss].type.shape) + "; expected a scalar");
  }
  const std::vector<bool> reaches = reaching(graph, loss, values);
  std::vector<ValueId> gradients(static_cast<size_t>(loss) + 1, kNoValue);
  gradients[static_cast<size_t>(loss)] = graph.add("ones_like", {loss});
  for (ValueId v = loss; v >= 0; --v) {
    const ValueId gradient = gradients[static_cast<size_t>(v)];
    // Copies: the graph grows below, which may move its nodes.
    const std::vector<ValueId> inputs = graph[v].inputs;
    const OpDefinition* op = graph[v].op;
    if (gradient == kNoValue || op == nullptr) continue;
    std::vector<char> flags;
    bool any = false;
    for (const ValueId input : inputs) {
      flags.push_back(reaches[static_cast<size_t>(input)]);
      any = any || flags.back();
    }
    if (!any) continue;
    if (op->backward == nullptr) {
      throw Error(ErrorKind::kTrace, "op '" + op->name + "' has no gradient");
    }
    static_assert(sizeof(bool) == sizeof(char));
    const std::span<const bool> wanted(reinterpret_cast<const bool*>(flags.data()), flags.size());
    const std::vector<ValueId> parts = op->backward(graph, v, gradient, wanted);
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i] == kNoValue || !wanted[i]) continue;
      ValueId& sum = gradients[static_cast<size_t>(inputs[i])];
      sum = sum == kNoValue ? parts[i] : addGradients(graph, inputs[i], sum, parts[i]);
    }
  }
  std::vector<ValueId> result;
  for (const ValueId value : values) {
    result.push_back(value <= loss ? gradients[static_cast<size_t>(value)] : kNoValue);
  }
  return result;
}

}  // namespace polydomain
