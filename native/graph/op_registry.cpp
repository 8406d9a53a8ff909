#include <numeric>
#include <type_traits>

#include "ops.h"
#include "polydomain/error.h"
#include "polydomain/op.h"

namespace polydomain {

namespace {

template <typename Value>
const char* kindOf() {
  if constexpr (std::is_same_v<Value, bool>) return "a boolean";
  if constexpr (std::is_same_v<Value, int64_t>) return "an integer";
  if constexpr (std::is_same_v<Value, double>) return "a number";
  if constexpr (std::is_same_v<Value, std::string>) return "a string";
  return "a list of integers";
}

// Levenshtein distance: the number of letters to insert, delete or replace.
size_t editDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

template <typename Value>
Value Attributes::get(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) {
    throw Error(ErrorKind::kConfig,
                "attribute '" + name + "' is missing: expected " + kindOf<Value>());
  }
  if (const Value* value = std::get_if<Value>(&found->second)) return *value;
  if constexpr (std::is_same_v<Value, double>) {
    if (const int64_t* integer = std::get_if<int64_t>(&found->second)) {
      return static_cast<double>(*integer);
    }
  }
  throw Error(ErrorKind::kConfig,
              "attribute '" + name + "' is of the wrong kind: expected " + kindOf<Value>());
}

template bool Attributes::get(const std::string&) const;
template int64_t Attributes::get(const std::string&) const;
template double Attributes::get(const std::string&) const;
template std::string Attributes::get(const std::string&) const;
template std::vector<int64_t> Attributes::get(const std::string&) const;

OpRegistry& OpRegistry::instance() {
  static OpRegistry registry = [] {
    OpRegistry filled;
    registerAllOps(filled);
    return filled;
  }();
  return registry;
}

void OpRegistry::add(OpDefinition definition) {
  const std::string name = definition.name;
  if (!definitions_.emplace(name, std::move(definition)).second) {
    throw Error(ErrorKind::kConfig, "op '" + name + "' exists already: choose another name");
  }
}

const OpDefinition& OpRegistry::find(const std::string& name) const {
  const auto found = definitions_.find(name);
  if (found != definitions_.end()) return found->second;
  std::string nearest;
  size_t distance = name.size() + 1;
  for (const auto& [known, definition] : definitions_) {
    const size_t d = editDistance(name, known);
    if (nearest.empty() || d < distance) {
      nearest = known;
      distance = d;
    }
  }
  throw Error(
      ErrorKind::kConfig,
      "unknown op '" + name + "'" +
          (nearest.empty() ? std::string() : ": the nearest known one is '" + nearest + "'"));
}

std::vector<std::string> OpRegistry::names() const {
  std::vector<std::string> names;
  for (const auto& [name, definition] : definitions_) names.push_back(name);
  return names;
}

void registerAllOps(OpRegistry& registry) {
  registerElementwiseOps(registry);
  registerLinearOps(registry);
  registerGroupedOps(registry);
  registerReduceOps(registry);
  registerShapeOps(registry);
  registerDropoutOps(registry);
  registerLossOps(registry);
  registerEmbeddingOps(registry);
  registerNormOps(registry);
  registerConvOps(registry);
  registerAttentionOps(registry);
}

}  // namespace polydomain
