#include "op_rules.h"

namespace polydomain {

namespace {

std::string describe(const TensorType& type) {
  const std::string shape = toString(type.shape);
  return type.type == DType::kFloat32 ? shape : std::string(nameOf(type.type)) + " " + shape;
}

}  // namespace

void throwShape(const char* op, std::span<const TensorType> inputs, const std::string& expected) {
  std::string message = std::string(op) + ": ";
  message += inputs.size() == 1 ? "input " : "inputs ";
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i > 0) message += i + 1 == inputs.size() ? " and " : ", ";
    message += describe(inputs[i]);
  }
  throw Error(ErrorKind::kShape, message + "; expected " + expected);
}

void requireFloat32(const char* op, std::span<const TensorType> inputs) {
  for (const TensorType& input : inputs) {
    if (input.type != DType::kFloat32) throwShape(op, inputs, "float32 values");
    if (input.shape.size() > kMaxRank) {
      throwShape(op, inputs, "at most " + std::to_string(kMaxRank) + " dimensions");
    }
  }
}

void requireRank(const char* op, std::span<const TensorType> inputs, size_t index, size_t rank) {
  if (inputs[index].shape.size() == rank) return;
  throwShape(op, inputs, std::to_string(rank) + " dimensions of input " + std::to_string(index));
}

Shape broadcastShape(const char* op, std::span<const TensorType> inputs) {
  const Shape& a = inputs[0].shape;
  const Shape& b = inputs[1].shape;
  Shape out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    // Aligned at the last dimension; what is missing in front counts as 1.
    const int64_t sizeA = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t sizeB = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (sizeA != sizeB && sizeA != 1 && sizeB != 1) {
      throwShape(op, inputs, "dimensions that are equal or 1, counted from the last");
    }
    const int64_t size = sizeA == 1 ? sizeB : sizeA;
    if (size == kRows && i + 1 != out.size()) {
      throwShape(op, inputs, "the run-time rows as the leading dimension of the result");
    }
    out[out.size() - 1 - i] = size;
  }
  return out;
}

size_t axisIndex(const char* op, std::span<const TensorType> inputs, int64_t axis) {
  const auto rank = static_cast<int64_t>(inputs[0].shape.size());
  const int64_t index = axis < 0 ? axis + rank : axis;
  if (index < 0 || index >= rank) {
    throwShape(op, inputs, "a dimension of index " + std::to_string(axis) + " (attribute axis)");
  }
  return static_cast<size_t>(index);
}

int64_t innerSize(const Shape& shape, size_t from) {
  return elementCount(std::span(shape).subspan(from));
}

int64_t outerSize(const Shape& shape, size_t to) {
  return elementCount(std::span(shape).first(to));
}

Middle middleOf(const Attributes& attributes, const Shape& shape) {
  if (!attributes.has("axis")) return {1, outerSize(shape, shape.size()), 1};
  const auto axis = attributes.get<int64_t>("axis");
  const auto at = static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis);
  return {outerSize(shape, at), shape[at], innerSize(shape, at + 1)};
}

int64_t matrixRows(const TensorView& view) { return outerSize(view.shape, view.shape.size() - 1); }

int64_t matrixStride(const TensorView& view) {
  return view.shape.size() == 2 ? view.rowStride : view.shape.back();
}

TensorType lastInputType(const Attributes&, std::span<const TensorType> inputs) {
  return inputs.back();
}

ValueId sumToLike(Graph& graph, ValueId gradient, ValueId operand) {
  if (sameShape(graph, gradient, operand)) return gradient;
  return graph.add("sum_to_like", {gradient, operand});
}

}  // namespace polydomain
