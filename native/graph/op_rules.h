#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "polydomain/error.h"
#include "polydomain/graph.h"

// What the definitions of the op families share: type rules and their errors.
namespace polydomain {

// An op's name as a template argument: one rule serves many ops and still names the right one.
template <size_t length>
struct OpName {
  char text[length] = {};
  consteval OpName(const char (&name)[length]) { std::copy_n(name, length, text); }
};

// Broadcasting kernels keep their loop counters in arrays of this size.
inline constexpr size_t kMaxRank = 8;

// "op: inputs [rows, 3] and [4]; expected ...", the kind being kShape.
[[noreturn]] void throwShape(const char* op, std::span<const TensorType> inputs,
                             const std::string& expected);

void requireFloat32(const char* op, std::span<const TensorType> inputs);
void requireRank(const char* op, std::span<const TensorType> inputs, size_t index, size_t rank);

// The shape that `a` and `b` broadcast to; kRows meets kRows or 1 alone.
Shape broadcastShape(const char* op, std::span<const TensorType> inputs);

// `axis`, negative ones counted from the end, as an index into `inputs[0]`.
size_t axisIndex(const char* op, std::span<const TensorType> inputs, int64_t axis);

// The number of elements behind the leading dimensions [0, from).
int64_t innerSize(const Shape& shape, size_t from);
// The number of elements of the dimensions [0, to).
int64_t outerSize(const Shape& shape, size_t to);

// A shape seen as [outer, reduced, inner], of which the middle is reduced: attribute axis, or all.
struct Middle {
  int64_t outer, reduced, inner;
};
Middle middleOf(const Attributes& attributes, const Shape& shape);

// Rows of a value seen as a matrix of its last dimension.
int64_t matrixRows(const TensorView& view);
// Their distance. A two-dimensional value may lie inside a wider buffer; others are contiguous.
int64_t matrixStride(const TensorView& view);

// Output like input 0; all inputs float32 of one shape.
template <OpName name>
TensorType sameType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32(name.text, inputs);
  for (const TensorType& input : inputs) {
    if (input != inputs[0]) throwShape(name.text, inputs, "equal shapes");
  }
  return inputs[0];
}

// Output like the last input, whatever it holds: its shape says where a gradient belongs.
TensorType lastInputType(const Attributes&, std::span<const TensorType> inputs);

// True when two values of these types hold the same elements in the same places.
inline bool sameShape(const Graph& graph, ValueId a, ValueId b) {
  return graph[a].type.shape == graph[b].type.shape;
}

// Gradient of the broadcast operand `operand`: `gradient` summed over what was broadcast.
ValueId sumToLike(Graph& graph, ValueId gradient, ValueId operand);

}  // namespace polydomain
