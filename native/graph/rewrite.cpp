#include "rewrite.h"

#include <algorithm>
#include <functional>

namespace polydomain {

namespace {

// How often each needed value is read; 0 for values that `keep` does not depend on.
std::vector<int> countReaders(const Graph& graph, const std::vector<ValueId>& keep) {
  std::vector<int> readers(static_cast<size_t>(graph.size()), 0);
  for (const ValueId value : keep) {
    if (value != kNoValue) ++readers[static_cast<size_t>(value)];
  }
  for (ValueId v = graph.size() - 1; v >= 0; --v) {
    if (readers[static_cast<size_t>(v)] == 0) continue;
    for (const ValueId input : graph[v].inputs) ++readers[static_cast<size_t>(input)];
  }
  return readers;
}

// Copies a graph node by node; rules may emit something else for a node.
class Copier {
 public:
  Copier(const Graph& from, const std::vector<ValueId>& keep)
      : from_(from), readers_(countReaders(from, keep)), to_(readers_.size(), kNoValue) {}

  template <typename Rule>
  Rewritten run(const std::vector<ValueId>& keep, const Rule& rule) {
    for (ValueId v = 0; v < from_.size(); ++v) {
      if (readers_[static_cast<size_t>(v)] == 0) continue;
      const ValueId replaced = rule(v);
      to_[static_cast<size_t>(v)] = replaced == kNoValue ? copy(v) : replaced;
    }
    // Values that a rule has swallowed were copied before it saw their reader.
    Rewritten result;
    std::vector<ValueId> kept;
    for (const ValueId value : keep) kept.push_back(value == kNoValue ? kNoValue : mapped(value));
    const std::vector<int> readers = countReaders(graph_, kept);
    std::vector<ValueId> position(readers.size(), kNoValue);
    for (ValueId v = 0; v < graph_.size(); ++v) {
      if (readers[static_cast<size_t>(v)] == 0) continue;
      position[static_cast<size_t>(v)] = append(result.graph, graph_[v], position);
    }
    for (const ValueId value : kept) {
      result.kept.push_back(value == kNoValue ? kNoValue : position[static_cast<size_t>(value)]);
    }
    return result;
  }

  bool readOnce(ValueId value) const { return readers_[static_cast<size_t>(value)] == 1; }
  ValueId mapped(ValueId value) const { return to_[static_cast<size_t>(value)]; }
  Graph& graph() { return graph_; }

 private:
  static ValueId append(Graph& graph, const Node& node, const std::vector<ValueId>& position) {
    if (node.kind == NodeKind::kInput) return graph.input(node.name, node.type);
    if (node.kind == NodeKind::kParameter) return graph.parameter(node.name, node.type);
    std::vector<ValueId> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(position[static_cast<size_t>(input)]);
    return graph.add(node.op->name, std::move(inputs), node.attributes, node.name);
  }

  ValueId copy(ValueId v) { return append(graph_, from_[v], to_); }

  const Graph& from_;
  Graph graph_;
  std::vector<int> readers_;
  std::vector<ValueId> to_;
};

// The concat of `fields` with every run of plain lookups in it made one gather_concat; kNoValue
// where there are none.
ValueId fuseLookups(const Graph& graph, Copier& copier, const std::vector<ValueId>& fields) {
  const auto isLookup = [&](ValueId field) {
    if (!isOp(graph, field, "embedding") || !copier.readOnce(field)) return false;
    const std::vector<ValueId>& inputs = graph[field].inputs;
    // A table that is computed has no rows of a domain's own.
    return graph[inputs[0]].kind == NodeKind::kParameter && graph[inputs[1]].type.shape.size() == 1;
  };
  std::vector<ValueId> parts;
  for (auto begin = fields.begin(); begin != fields.end();) {
    const auto end = std::find_if_not(begin, fields.end(), isLookup);
    if (end - begin < 2) {
      parts.push_back(copier.mapped(*begin++));
      continue;
    }
    std::vector<ValueId> inputs;
    for (const size_t input : {0, 1}) {  // tables, then ids
      for (auto field = begin; field != end; ++field) {
        inputs.push_back(copier.mapped(graph[*field].inputs[input]));
      }
    }
    const int64_t count = end - begin;
    parts.push_back(copier.graph().add("gather_concat", std::move(inputs), {{"count", count}}));
    begin = end;
  }
  if (parts.size() == fields.size()) return kNoValue;
  return parts.size() == 1 ? parts[0] : copier.graph().add("concat", std::move(parts));
}

struct SharedColumns {
  ValueId ids = kNoValue;
  int64_t width = 0;
};

// The last columns of a value [rows, columns] that embed the domain.
SharedColumns domainColumns(const Graph& graph, ValueId value) {
  const Node& node = graph[value];
  if (isOp(graph, value, "concat") && node.type.shape.size() == 2) {
    return domainColumns(graph, node.inputs.back());
  }
  const bool one = isOp(graph, value, "embedding") && node.type.shape.size() == 2;
  if (!one && !isOp(graph, value, "gather_concat")) return {};
  const ValueId ids = node.inputs.back();
  if (graph[ids].kind != NodeKind::kInput || graph[ids].name != kDomainInput) return {};
  const ValueId table = node.inputs[node.inputs.size() / 2 - 1];
  return {ids, graph[table].type.shape[1]};
}

// The parameter behind a running average: read whole, or a slot of it.
const std::string& averageOf(const Graph& graph, ValueId value) {
  while (graph[value].kind == NodeKind::kOp) value = graph[value].inputs[0];
  return graph[value].name;
}

// A linear over columns of which the last embed the domain as grouped_linear; else kNoValue.
ValueId groupRows(const Graph& graph, Copier& copier, ValueId v) {
  std::vector<ValueId> inputs;
  for (const ValueId input : graph[v].inputs) inputs.push_back(copier.mapped(input));
  const auto [ids, width] = domainColumns(copier.graph(), inputs[0]);
  if (ids == kNoValue || width == copier.graph()[inputs[0]].type.shape[1]) return kNoValue;
  Attributes attributes = graph[v].attributes;
  attributes.set("shared", width);
  inputs.push_back(ids);
  return copier.graph().add("grouped_linear", std::move(inputs), std::move(attributes),
                            graph[v].name);
}

}  // namespace

Rewritten rewriteForward(const Graph& graph, const std::vector<ValueId>& keep, bool dropout,
                         bool fuse,
                         const std::function<bool(const std::string& parameter)>& averages) {
  Copier copier(graph, keep);
  // Appends to the linear that made value `x`, which nothing else reads.
  const auto extend = [&](ValueId x, const std::function<bool(Attributes&)>& change) {
    const ValueId layer = copier.mapped(x);
    const bool extensible =
        isOp(copier.graph(), layer, "linear") || isOp(copier.graph(), layer, "grouped_linear");
    if (!fuse || !copier.readOnce(x) || !extensible) return kNoValue;
    const Node& node = copier.graph()[layer];
    Attributes attributes = node.attributes;
    if (!change(attributes)) return kNoValue;
    const std::vector<ValueId> inputs = node.inputs;
    const std::string name = node.name;
    return copier.graph().add(node.op->name, inputs, std::move(attributes), name);
  };
  const auto rule = [&](ValueId v) -> ValueId {
    const Node& node = graph[v];
    if (isOp(graph, v, "dropout")) {
      const ValueId x = node.inputs[0];
      if (!dropout || node.attributes.get<double>("keep") >= 1.0) return copier.mapped(x);
      return extend(x, [&](Attributes& attributes) {
        // A positive stored output must mean that the gradient passes: relu comes first.
        if (!attributes.get<bool>("relu", false) || attributes.has("keep")) return false;
        attributes.set("keep", node.attributes.get<double>("keep"));
        attributes.set("stream", node.attributes.get<int64_t>("stream"));
        return true;
      });
    }
    if (isOp(graph, v, "running_average")) {
      const ValueId kept = node.inputs[1];
      return averages(averageOf(graph, kept)) ? kNoValue : copier.mapped(kept);
    }
    if (isOp(graph, v, "relu")) {
      return extend(node.inputs[0], [](Attributes& attributes) {
        if (attributes.get<bool>("relu", false) || attributes.has("keep")) return false;
        attributes.set("relu", true);
        return true;
      });
    }
    if (fuse && isOp(graph, v, "concat")) return fuseLookups(graph, copier, node.inputs);
    if (fuse && isOp(graph, v, "linear")) return groupRows(graph, copier, v);
    return kNoValue;
  };
  return copier.run(keep, rule);
}

Rewritten rewriteBackward(const Graph& graph, const std::vector<ValueId>& keep) {
  Copier copier(graph, keep);
  const auto rule = [&](ValueId v) -> ValueId {
    if (!isOp(graph, v, "activation_gradient")) return kNoValue;
    const Node& node = graph[v];
    const ValueId product = node.inputs[0];
    if (!isOp(graph, product, "linear_input_gradient") || !copier.readOnce(product) ||
        graph[product].inputs.size() != 2) {
      return kNoValue;
    }
    const std::vector<ValueId>& factors = graph[product].inputs;
    return copier.graph().add(
        "linear_input_gradient",
        {copier.mapped(factors[0]), copier.mapped(factors[1]), copier.mapped(node.inputs[1])},
        node.attributes);
  };
  return copier.run(keep, rule);
}

}  // namespace polydomain
