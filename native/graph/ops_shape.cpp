// Ops that move values: reshape; concat and slice along the last axis.

#include <climits>
#include <cstring>

#include "cpu/chunks.h"
#include "cpu/concat.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

// Attribute shape: with run-time rows the leading dimension stays rows (-1); otherwise one
// dimension may be -1 and follows from the others.
TensorType reshapeType(const Attributes& attributes, std::span<const TensorType> inputs) {
  Shape shape = attributes.get<std::vector<int64_t>>("shape");
  const Shape& from = inputs[0].shape;
  const bool rows = !from.empty() && from[0] == kRows;
  int64_t known = 1;
  size_t open = shape.size();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] >= 0) {
      known *= shape[i];
    } else if (shape[i] == -1 && open == shape.size() && (!rows || i == 0)) {
      open = i;
    } else {
      throwShape("reshape", inputs, "a target that fits, not " + toString(shape));
    }
  }
  const int64_t count = rows ? innerSize(from, 1) : outerSize(from, from.size());
  bool fits = rows ? open == 0 && known == count : known == count;
  if (!rows && open < shape.size()) {
    fits = known > 0 && count % known == 0;
    if (fits) shape[open] = count / known;
  }
  if (!fits) throwShape("reshape", inputs, "as many elements as " + toString(shape) + " has");
  return {inputs[0].type, shape};
}

void reshapeKernel(const RunContext& context, const Attributes&, std::span<const TensorView> inputs,
                   const TensorView& output) {
  if (inputs[0].data == output.data) return;
  const auto* from = static_cast<const char*>(inputs[0].data);
  auto* to = static_cast<char*>(output.data);
  const auto bytes = output.size() * static_cast<int64_t>(sizeOf(output.type));
  cpu::forChunks(context.pool, bytes, cpu::kChunkElements * 4, [&](int64_t begin, int64_t end) {
    std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
  });
}

std::vector<ValueId> reshapeBackward(Graph& graph, ValueId node, ValueId gradient,
                                     std::span<const bool>) {
  const Shape shape = graph[graph[node].inputs[0]].type.shape;
  return {graph.add("reshape", {gradient}, {{"shape", shape}})};
}

TensorType stopGradientType(const Attributes&, std::span<const TensorType> inputs) {
  return inputs[0];
}

std::vector<ValueId> stopGradientBackward(Graph&, ValueId, ValueId, std::span<const bool>) {
  return {kNoValue};
}

// Refuses values without a last dimension of fixed size.
void requireColumns(const char* op, std::span<const TensorType> inputs) {
  requireFloat32(op, inputs);
  for (const TensorType& input : inputs) {
    if (input.shape.empty() || input.shape.back() == kRows) {
      throwShape(op, inputs, "a last dimension of fixed size");
    }
  }
}

TensorType concatType(const Attributes&, std::span<const TensorType> inputs) {
  requireColumns("concat", inputs);
  Shape shape = inputs[0].shape;
  for (const TensorType& input : inputs.subspan(1)) {
    if (input.shape.size() != shape.size() ||
        !std::equal(shape.begin(), shape.end() - 1, input.shape.begin())) {
      throwShape("concat", inputs, "shapes that differ in the last dimension alone");
    }
    shape.back() += input.shape.back();
  }
  return {DType::kFloat32, shape};
}

void concatKernel(const RunContext& context, const Attributes&, std::span<const TensorView> inputs,
                  const TensorView& output) {
  const int64_t width = output.shape.back();
  const int64_t rows = outerSize(output.shape, output.shape.size() - 1);
  const int64_t stride = matrixStride(output);
  cpu::forChunks(context.pool, rows, cpu::rowsPerChunk(width), [&](int64_t begin, int64_t end) {
    float* to = output.f32() + begin * stride;
    for (const TensorView& input : inputs) {
      const int64_t from = matrixStride(input);
      cpu::copyBlock(input.f32() + begin * from, from, to, stride, end - begin, input.shape.back());
      to += input.shape.back();
    }
  });
}

std::vector<ValueId> concatBackward(Graph& graph, ValueId node, ValueId gradient,
                                    std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  std::vector<ValueId> gradients(in.size(), kNoValue);
  int64_t start = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    const int64_t length = graph[in[i]].type.shape.back();
    if (wanted[i]) {
      gradients[i] = graph.add("slice", {gradient}, {{"start", start}, {"length", length}});
    }
    start += length;
  }
  return gradients;
}

TensorType sliceType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireColumns("slice", inputs);
  const auto start = attributes.get<int64_t>("start");
  const auto length = attributes.get<int64_t>("length");
  const int64_t size = inputs[0].shape.back();
  if (start < 0 || length < 0 || start > size || length > size - start) {
    throwShape("slice", inputs,
               "a last dimension that holds [" + std::to_string(start) + ", " +
                   std::to_string(start) + " + " + std::to_string(length) + ")");
  }
  Shape shape = inputs[0].shape;
  shape.back() = length;
  return {DType::kFloat32, shape};
}

void sliceKernel(const RunContext& context, const Attributes& attributes,
                 std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t width = output.shape.back();
  const int64_t rows = outerSize(output.shape, output.shape.size() - 1);
  const int64_t from = matrixStride(inputs[0]);
  const int64_t to = matrixStride(output);
  const float* start = inputs[0].f32() + attributes.get<int64_t>("start");
  cpu::forChunks(context.pool, rows, cpu::rowsPerChunk(width), [&](int64_t begin, int64_t end) {
    cpu::copyBlock(start + begin * from, from, output.f32() + begin * to, to, end - begin, width);
  });
}

std::vector<ValueId> sliceBackward(Graph& graph, ValueId node, ValueId gradient,
                                   std::span<const bool>) {
  const auto start = graph[node].attributes.get<int64_t>("start");
  const int64_t size = graph[graph[node].inputs[0]].type.shape.back();
  return {graph.add("slice_gradient", {gradient}, {{"start", start}, {"size", size}})};
}

// The columns [start, start + length) of a value of `size` columns, zeros around them.
TensorType sliceGradientType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireColumns("slice_gradient", inputs);
  const auto start = attributes.get<int64_t>("start");
  const auto size = attributes.get<int64_t>("size");
  const int64_t length = inputs[0].shape.back();
  if (start < 0 || start > size || length > size - start) {
    throwShape("slice_gradient", inputs,
               "a last dimension that fits into " + std::to_string(size) + " columns at " +
                   std::to_string(start));
  }
  Shape shape = inputs[0].shape;
  shape.back() = size;
  return {DType::kFloat32, shape};
}

void sliceGradientKernel(const RunContext& context, const Attributes& attributes,
                         std::span<const TensorView> inputs, const TensorView& output) {
  const auto start = attributes.get<int64_t>("start");
  const int64_t size = output.shape.back();
  const int64_t length = inputs[0].shape.back();
  const int64_t rows = outerSize(output.shape, output.shape.size() - 1);
  const int64_t from = matrixStride(inputs[0]);
  const int64_t to = matrixStride(output);
  cpu::forChunks(context.pool, rows, cpu::rowsPerChunk(size), [&](int64_t begin, int64_t end) {
    float* out = output.f32() + begin * to;
    cpu::clearBlock(out, to, end - begin, start);
    cpu::copyBlock(inputs[0].f32() + begin * from, from, out + start, to, end - begin, length);
    cpu::clearBlock(out + start + length, to, end - begin, size - start - length);
  });
}

std::vector<ValueId> sliceGradientBackward(Graph& graph, ValueId node, ValueId gradient,
                                           std::span<const bool>) {
  const auto start = graph[node].attributes.get<int64_t>("start");
  const int64_t length = graph[graph[node].inputs[0]].type.shape.back();
  return {graph.add("slice", {gradient}, {{"start", start}, {"length", length}})};
}

}  // namespace

void registerShapeOps(OpRegistry& registry) {
  registry.add({"reshape", 1, 1, reshapeType, reshapeBackward, reshapeKernel, true});
  registry.add(
      {"stop_gradient", 1, 1, stopGradientType, stopGradientBackward, reshapeKernel, true});
  registry.add({"concat", 1, INT_MAX, concatType, concatBackward, concatKernel});
  registry.add({"slice", 1, 1, sliceType, sliceBackward, sliceKernel});
  registry.add(
      {"slice_gradient", 1, 1, sliceGradientType, sliceGradientBackward, sliceGradientKernel});
}

}  // namespace polydomain
