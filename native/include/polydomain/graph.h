#pragma once

#include <string>
#include <vector>

#include "polydomain/op.h"

namespace polydomain {

enum class NodeKind : uint8_t {
  kOp,
  kInput,     // a column of the batch, or a tensor handed in: `name`
  kParameter  // a parameter of the space: `name`; a table is read by "embedding" alone
};

// The input that names the domain of each row.
inline constexpr char kDomainInput[] = "domain";

struct Node {
  NodeKind kind = NodeKind::kOp;
  const OpDefinition* op = nullptr;
  std::vector<ValueId> inputs;
  Attributes attributes;
  TensorType type;
  std::string name;  // inputs and parameters; for ops the stable name that keys random streams
};

// A list of nodes in topological order; a value is the output of the node of the same index.
class Graph {
 public:
  ValueId input(const std::string& name, TensorType type);
  ValueId parameter(const std::string& name, TensorType type);
  // Checks the input count and applies the op's type rule. Throws Error(kShape, kConfig).
  ValueId add(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {},
              std::string name = {});
  const Node& operator[](ValueId value) const { return nodes_[static_cast<size_t>(value)]; }
  Node& operator[](ValueId value) { return nodes_[static_cast<size_t>(value)]; }
  ValueId size() const { return static_cast<ValueId>(nodes_.size()); }

 private:
  std::vector<Node> nodes_;
};

// Whether the op of this name makes a value.
inline bool isOp(const Graph& graph, ValueId value, const char* name) {
  return graph[value].op != nullptr && graph[value].op->name == name;
}

// Appends the backward pass of the scalar `loss` and returns d loss / d value for each of `values`
// (kNoValue where loss does not depend on it). Gradients that meet are added
// in descending order of the consumer, so the result does not depend on anything else.
// The gradient of a parameter read by "embedding" is a "row_gradient" node, or "row_gradients" of
// several: ids and gradient rows that the program sums and applies row by row.
std::vector<ValueId> appendBackward(Graph& graph, ValueId loss, const std::vector<ValueId>& values);

}  // namespace polydomain
