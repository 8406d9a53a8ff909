// Layers whose last input columns are a function of an id, as the embedded domain is: rows with one
// id have equal values there. The product over these columns is made once for each id of the batch,
// and stands in the place of the bias; a batch of one domain then costs what its other fields do.
// The rewriter makes these ops of "linear" (rewrite.h).

#include "cpu/chunks.h"
#include "cpu/concat.h"
#include "cpu/gemm.h"
#include "cpu/reduce.h"
#include "cpu/row_groups.h"
#include "cpu/scratch.h"
#include "layer.h"
#include "op_rules.h"
#include "ops.h"

namespace polydomain {

namespace {

using cpu::Transpose;

// Kept by every thread that runs programs, so that a step allocates nothing.
struct Scratch {
  cpu::RowGroups groups;
  std::vector<float> values, products;
};

Scratch& scratch() {
  thread_local Scratch memory;
  return memory;
}

const cpu::RowGroups& groupsOf(const TensorView& ids) {
  cpu::RowGroups& groups = scratch().groups;
  groups.build({ids.i32(), static_cast<size_t>(ids.size())});
  return groups;
}

// The shared columns of x, a row for each group.
const float* sharedValues(const cpu::RowGroups& groups, const TensorView& x, int64_t shared) {
  float* values = cpu::atLeast(scratch().values, groups.size() * shared);
  const float* from = x.f32() + x.shape[1] - shared;
  for (int64_t g = 0; g < groups.size(); ++g) {
    cpu::copyBlock(from + groups.firstRow(g) * x.rowStride, shared, values + g * shared, shared, 1,
                   shared);
  }
  return values;
}

// Columns of an input of `in` that are a function of the id.
int64_t sharedOf(const char* op, const Attributes& attributes, int64_t in) {
  const auto shared = attributes.get<int64_t>("shared");
  if (shared > 0 && shared < in) return shared;
  throw Error(ErrorKind::kShape, std::string(op) + ": shared " + std::to_string(shared) +
                                     "; expected 1 to " + std::to_string(in - 1));
}

void requireIds(const char* op, std::span<const TensorType> inputs) {
  const TensorType& ids = inputs.back();
  if (inputs[0].shape.size() != 2 || ids.type != DType::kInt32 ||
      ids.shape != Shape{inputs[0].shape[0]}) {
    throwShape(op, inputs, "input 0 [rows, columns] and last int32 ids [rows]");
  }
}

// x [rows, in], weight [out, in], bias [out] if any, ids [rows]: as linear, where the last `shared`
// columns of x are a function of the id.
TensorType groupedLinearType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireIds("grouped_linear", inputs);
  sharedOf("grouped_linear", attributes, inputs[0].shape[1]);
  return layerType("grouped_linear", attributes, inputs.first(inputs.size() - 1));
}

void groupedLinearKernel(const RunContext& context, const Attributes& attributes,
                         std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t in = inputs[1].shape[1], out = inputs[1].shape[0];
  const auto shared = attributes.get<int64_t>("shared");
  const int64_t own = in - shared;
  const cpu::RowGroups& groups = groupsOf(inputs.back());
  const float* values = sharedValues(groups, inputs[0], shared);
  float* products = cpu::atLeast(scratch().products, groups.size() * out);
  cpu::GemmEpilogue constant;
  if (inputs.size() == 4) constant.bias = inputs[2].f32();
  cpu::gemm(context.pool, Transpose::kNo, Transpose::kYes, groups.size(), out, shared, values,
            shared, inputs[1].f32() + own, in, products, out, constant);
  cpu::GemmEpilogue epilogue = activationOf(context, attributes);
  epilogue.bias = products;
  epilogue.biasRow = groups.groupOfRows();
  cpu::gemm(context.pool, Transpose::kNo, Transpose::kYes, inputs[0].shape[0], out, own,
            inputs[0].f32(), inputs[0].rowStride, inputs[1].f32(), in, output.f32(),
            output.rowStride, epilogue, true);
}

std::vector<ValueId> groupedLinearBackward(Graph& graph, ValueId node, ValueId gradient,
                                           std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  const Attributes shared{{"shared", graph[node].attributes.get<int64_t>("shared")}};
  const ValueId ids = in.back();
  gradient = activationGradient(graph, node, gradient);
  const ValueId sums = graph.add("group_sum", {gradient, ids});
  std::vector<ValueId> gradients(in.size(), kNoValue);
  if (wanted[0]) {
    gradients[0] = graph.add("grouped_input_gradient", {gradient, in[1], sums, ids}, shared);
  }
  if (wanted[1]) {
    gradients[1] = graph.add("grouped_weight_gradient", {gradient, in[0], sums, ids}, shared);
  }
  if (in.size() == 4 && wanted[2]) gradients[2] = graph.add("group_total", {sums, ids});
  return gradients;
}

// gradient [rows, out], ids [rows]: row g of the result is the sum of the rows of the g-th id to
// appear. Rows behind the last of them are left as they are.
TensorType groupSumType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("group_sum", inputs.first(1));
  requireIds("group_sum", inputs);
  return inputs[0];
}

void groupSumKernel(const RunContext& context, const Attributes&,
                    std::span<const TensorView> inputs, const TensorView& output) {
  groupsOf(inputs[1]).sum(context.pool, inputs[0].f32(), output.shape[1], output.f32());
}

// A group_sum [rows, out] and its ids [rows] -> [out]: the sum over all rows.
TensorType groupTotalType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("group_total", inputs.first(1));
  requireIds("group_total", inputs);
  return {DType::kFloat32, {inputs[0].shape[1]}};
}

void groupTotalKernel(const RunContext& context, const Attributes&,
                      std::span<const TensorView> inputs, const TensorView& output) {
  cpu::sumMiddle(context.pool, inputs[0].f32(), 1, groupsOf(inputs[1]).size(), output.shape[0], 1.0,
                 output.f32());
}

// gradient [rows, out], weight [out, in], the gradient's group_sum, ids [rows] -> [rows, in]. What
// belongs to the shared columns of an id's rows stands in the first of these rows, and zeros in the
// others: readers add up the rows of an id.
TensorType groupedInputGradientType(const Attributes& attributes,
                                    std::span<const TensorType> inputs) {
  requireFloat32("grouped_input_gradient", inputs.first(3));
  requireRank("grouped_input_gradient", inputs, 1, 2);
  requireIds("grouped_input_gradient", inputs);
  if (inputs[1].shape[0] != inputs[0].shape[1] || inputs[2] != inputs[0]) {
    throwShape("grouped_input_gradient", inputs,
               "a gradient [rows, out], a weight [out, in], sums [rows, out] and ids [rows]");
  }
  sharedOf("grouped_input_gradient", attributes, inputs[1].shape[1]);
  return {DType::kFloat32, {inputs[0].shape[0], inputs[1].shape[1]}};
}

void groupedInputGradientKernel(const RunContext& context, const Attributes& attributes,
                                std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t rows = output.shape[0], in = output.shape[1], out = inputs[0].shape[1];
  const auto shared = attributes.get<int64_t>("shared");
  const int64_t own = in - shared;
  const float* weight = inputs[1].f32();
  const cpu::RowGroups& groups = groupsOf(inputs.back());
  cpu::gemm(context.pool, Transpose::kNo, Transpose::kNo, rows, own, out, inputs[0].f32(), out,
            weight, in, output.f32(), in, {}, true);
  float* products = cpu::atLeast(scratch().products, groups.size() * shared);
  cpu::gemm(context.pool, Transpose::kNo, Transpose::kNo, groups.size(), shared, out,
            inputs[2].f32(), out, weight + own, in, products, shared);
  float* to = output.f32() + own;
  cpu::forChunks(context.pool, rows, cpu::rowsPerChunk(shared), [&](int64_t begin, int64_t end) {
    cpu::clearBlock(to + begin * in, in, end - begin, shared);
  });
  for (int64_t g = 0; g < groups.size(); ++g) {
    cpu::copyBlock(products + g * shared, shared, to + groups.firstRow(g) * in, in, 1, shared);
  }
}

// gradient [rows, out], x [rows, in], the gradient's group_sum, ids [rows] -> [out, in].
TensorType groupedWeightGradientType(const Attributes& attributes,
                                     std::span<const TensorType> inputs) {
  requireFloat32("grouped_weight_gradient", inputs.first(3));
  requireRank("grouped_weight_gradient", inputs, 1, 2);
  requireIds("grouped_weight_gradient", inputs);
  if (inputs[1].shape[0] != inputs[0].shape[0] || inputs[2] != inputs[0]) {
    throwShape("grouped_weight_gradient", inputs,
               "a gradient [rows, out], an input [rows, in], sums [rows, out] and ids [rows]");
  }
  sharedOf("grouped_weight_gradient", attributes, inputs[1].shape[1]);
  return {DType::kFloat32, {inputs[0].shape[1], inputs[1].shape[1]}};
}

void groupedWeightGradientKernel(const RunContext& context, const Attributes& attributes,
                                 std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t out = output.shape[0], in = output.shape[1];
  const auto shared = attributes.get<int64_t>("shared");
  const int64_t own = in - shared;
  const cpu::RowGroups& groups = groupsOf(inputs.back());
  const float* values = sharedValues(groups, inputs[1], shared);
  cpu::gemm(context.pool, Transpose::kYes, Transpose::kNo, out, own, inputs[0].shape[0],
            inputs[0].f32(), out, inputs[1].f32(), inputs[1].rowStride, output.f32(), in, {}, true);
  cpu::gemm(context.pool, Transpose::kYes, Transpose::kNo, out, shared, groups.size(),
            inputs[2].f32(), out, values, shared, output.f32() + own, in);
}

}  // namespace

void registerGroupedOps(OpRegistry& registry) {
  registry.add(
      {"grouped_linear", 3, 4, groupedLinearType, groupedLinearBackward, groupedLinearKernel});
  registry.add({"group_sum", 2, 2, groupSumType, nullptr, groupSumKernel});
  registry.add({"group_total", 2, 2, groupTotalType, nullptr, groupTotalKernel});
  registry.add({"grouped_input_gradient", 4, 4, groupedInputGradientType, nullptr,
                groupedInputGradientKernel});
  registry.add({"grouped_weight_gradient", 4, 4, groupedWeightGradientType, nullptr,
                groupedWeightGradientKernel});
}

}  // namespace polydomain
