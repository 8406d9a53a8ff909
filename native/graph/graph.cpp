#include "polydomain/graph.h"

#include "polydomain/error.h"

namespace polydomain {

ValueId Graph::input(const std::string& name, TensorType type) {
  nodes_.push_back({NodeKind::kInput, nullptr, {}, {}, std::move(type), name});
  return size() - 1;
}

ValueId Graph::parameter(const std::string& name, TensorType type) {
  nodes_.push_back({NodeKind::kParameter, nullptr, {}, {}, std::move(type), name});
  return size() - 1;
}

ValueId Graph::add(const std::string& op, std::vector<ValueId> inputs, Attributes attributes,
                   std::string name) {
  const OpDefinition& definition = OpRegistry::instance().find(op);
  const auto count = static_cast<int>(inputs.size());
  if (count < definition.minInputs || count > definition.maxInputs) {
    throw Error(ErrorKind::kShape, op + ": " + std::to_string(count) + " inputs; expected " +
                                       (definition.minInputs == definition.maxInputs
                                            ? std::to_string(definition.minInputs)
                                            : "at least " + std::to_string(definition.minInputs)));
  }
  std::vector<TensorType> types;
  types.reserve(inputs.size());
  for (const ValueId input : inputs) {
    if (input < 0 || input >= size()) {
      throw Error(ErrorKind::kShape, op + ": value " + std::to_string(input) +
                                         " is not in this graph of " + std::to_string(size()) +
                                         " values");
    }
    types.push_back((*this)[input].type);
  }
  TensorType type = definition.type(attributes, types);
  nodes_.push_back({NodeKind::kOp, &definition, std::move(inputs), std::move(attributes),
                    std::move(type), std::move(name)});
  return size() - 1;
}

}  // namespace polydomain
