#pragma once

#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "polydomain/random.h"
#include "polydomain/tensor.h"
#include "polydomain/thread_pool.h"

namespace polydomain {

using Attribute = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>>;

// The attributes of a node, by name. `get` throws Error(kConfig) naming the attribute when it is
// missing or of another kind; an integer serves where a double is asked for.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, Attribute>> values)
      : values_(values) {}
  bool has(const std::string& name) const { return values_.contains(name); }
  void set(const std::string& name, Attribute value) { values_[name] = std::move(value); }
  template <typename Value>
  Value get(const std::string& name) const;
  template <typename Value>
  Value get(const std::string& name, Value fallback) const {
    return has(name) ? get<Value>(name) : fallback;
  }
  const std::map<std::string, Attribute>& values() const { return values_; }
  bool operator==(const Attributes&) const = default;

 private:
  std::map<std::string, Attribute> values_;
};

// dtype and shape of a graph value. A leading kRows is the run-time row count.
struct TensorType {
  DType type = DType::kFloat32;
  Shape shape;
  bool operator==(const TensorType&) const = default;
};

// What changes from run to run of one program.
struct RunContext {
  ThreadPool& pool;
  uint64_t seed = 0;  // of dropout
  uint64_t step = 0;  // of dropout: counts training steps
};

// Computes a node's output. Inputs and output are contiguous unless the op says otherwise; the
// output never overlaps an input, except where the op is marked `inPlace` and input 0 is the
// output.
using Kernel = void (*)(const RunContext& context, const Attributes& attributes,
                        std::span<const TensorView> inputs, const TensorView& output);

// Throws Error(kData) for input values that the kernel would trust, such as ids outside a table.
// Called before an eager call; programs check their columns once (Program::checkIds).
using ValueRule = void (*)(const Attributes& attributes, std::span<const TensorView> inputs);

class Graph;
using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;

// Type of the output from the types of the inputs; throws Error(kShape) that names the op, the
// shapes and what was expected.
using TypeRule = TensorType (*)(const Attributes& attributes, std::span<const TensorType> inputs);

// Appends to `graph` the gradients of node `node`'s inputs, given the gradient of its output;
// kNoValue for an input without gradient. `wanted[i]` says whether input i's gradient is used.
using BackwardRule = std::vector<ValueId> (*)(Graph& graph, ValueId node, ValueId outputGradient,
                                              std::span<const bool> wanted);

struct OpDefinition {
  std::string name;
  int minInputs = 1;
  int maxInputs = 1;  // INT_MAX: any number
  TypeRule type = nullptr;
  BackwardRule backward = nullptr;  // null: not differentiable
  Kernel cpu = nullptr;
  // The output may share memory with input 0 when that input has no other use.
  bool inPlace = false;
  ValueRule check = nullptr;  // null: any values will do
};

// The ops of the library, filled once by registerAllOps(); a custom kernel adds its own with add().
class OpRegistry {
 public:
  static OpRegistry& instance();  // immutable after start-up, hence shared by environments
  // Throws Error(kConfig) when the name is taken.
  void add(OpDefinition definition);
  // Throws Error(kConfig) naming the nearest known op.
  const OpDefinition& find(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  std::map<std::string, OpDefinition> definitions_;
};

}  // namespace polydomain
