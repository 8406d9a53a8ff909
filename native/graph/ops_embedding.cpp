// Lookups in embedding tables. The gradient of a table is a "row_gradient" node: the rows of the
// gradient and the ids they belong to, which the program sums and applies row by row.

#include <climits>

#include "cpu/chunks.h"
#include "cpu/concat.h"
#include "cpu/embedding.h"
#include "op_rules.h"
#include "ops.h"
#include "polydomain/error.h"

namespace polydomain {

namespace {

void requireTable(const char* op, std::span<const TensorType> inputs, size_t table) {
  const TensorType& type = inputs[table];
  if (type.type != DType::kFloat32 || type.shape.size() != 2 || type.shape[0] == kRows) {
    throwShape(op, inputs, "a float32 table [n, dim] as input " + std::to_string(table));
  }
}

void requireIds(const char* op, std::span<const TensorType> inputs, size_t ids) {
  if (inputs[ids].type != DType::kInt32 || inputs[ids].shape.empty()) {
    throwShape(op, inputs, "int32 ids [rows] as input " + std::to_string(ids));
  }
}

std::span<const int32_t> idsIn(const TensorView& view, int64_t begin, int64_t end) {
  return {view.i32() + begin, view.i32() + end};
}

// table [n, dim], ids [rows..] -> [rows.., dim].
TensorType embeddingType(const Attributes&, std::span<const TensorType> inputs) {
  requireTable("embedding", inputs, 0);
  requireIds("embedding", inputs, 1);
  Shape shape = inputs[1].shape;
  shape.push_back(inputs[0].shape[1]);
  return {DType::kFloat32, shape};
}

void embeddingKernel(const RunContext& context, const Attributes&,
                     std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t dim = inputs[0].shape[1];
  const int64_t stride = output.shape.size() == 2 ? output.rowStride : dim;
  cpu::forChunks(context.pool, inputs[1].size(), cpu::rowsPerChunk(dim),
                 [&](int64_t begin, int64_t end) {
                   cpu::gatherRows(inputs[0].f32(), dim, idsIn(inputs[1], begin, end),
                                   output.f32() + begin * stride, stride);
                 });
}

void requireBags(const char* op, std::span<const TensorType> inputs, size_t ids) {
  requireIds(op, inputs, ids);
  if (inputs[ids].shape.size() != 2 || inputs[ids].shape[1] < 1) {
    throwShape(op, inputs, "int32 ids [rows, width] as input " + std::to_string(ids));
  }
}

// table [n, dim], ids [rows, width] -> [rows, dim]: the sum or mean of each row's ids that are not
// -1; zeros where there are none (PyTorch's EmbeddingBag).
TensorType embeddingBagType(const Attributes& attributes, std::span<const TensorType> inputs) {
  requireTable("embedding_bag", inputs, 0);
  requireBags("embedding_bag", inputs, 1);
  poolingOf(attributes);
  return {DType::kFloat32, {inputs[1].shape[0], inputs[0].shape[1]}};
}

void embeddingBagKernel(const RunContext& context, const Attributes& attributes,
                        std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t dim = inputs[0].shape[1];
  const int64_t width = inputs[1].shape[1];
  const cpu::Pooling pooling = poolingOf(attributes);
  cpu::forChunks(
      context.pool, output.shape[0], cpu::rowsPerChunk(dim), [&](int64_t begin, int64_t end) {
        cpu::poolRows(inputs[0].f32(), dim, idsIn(inputs[1], begin * width, end * width), width,
                      pooling, output.f32() + begin * output.rowStride, output.rowStride);
      });
}

// values [rows, dim], ids [rows, width] -> values, each row divided by how many ids it has.
TensorType divideByBagSizeType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("divide_by_bag_size", inputs.first(1));
  requireBags("divide_by_bag_size", inputs, 1);
  if (inputs[0].shape.size() != 2 || inputs[0].shape[0] != inputs[1].shape[0]) {
    throwShape("divide_by_bag_size", inputs, "values [rows, dim] and ids [rows, width]");
  }
  return inputs[0];
}

void divideByBagSizeKernel(const RunContext& context, const Attributes&,
                           std::span<const TensorView> inputs, const TensorView& output) {
  const int64_t dim = output.shape[1];
  const int64_t width = inputs[1].shape[1];
  cpu::forChunks(context.pool, output.shape[0], cpu::rowsPerChunk(dim),
                 [&](int64_t begin, int64_t end) {
                   cpu::divideByBagSize(inputs[0].f32() + begin * dim, dim, dim,
                                        idsIn(inputs[1], begin * width, end * width), width,
                                        output.f32() + begin * dim);
                 });
}

// Values with a row for all ids of a bag, and not one for each id.
bool areBags(const Shape& values, const Shape& ids) {
  return values.size() == 2 && ids.size() == 2;
}

TensorType rowGradientType(const Attributes&, std::span<const TensorType> inputs) {
  requireFloat32("row_gradient", inputs.first(1));
  requireIds("row_gradient", inputs, 1);
  const Shape& gradient = inputs[0].shape;
  const Shape& ids = inputs[1].shape;
  const Shape rows(gradient.begin(), gradient.end() - !gradient.empty());
  const bool fits = areBags(gradient, ids) ? rows[0] == ids[0] : rows == ids;
  if (gradient.empty() || !fits) {
    throwShape("row_gradient", inputs,
               "a gradient [rows.., dim] and ids [rows..], or [rows, width] of bags");
  }
  return inputs[0];
}

std::vector<ValueId> embeddingBackward(Graph& graph, ValueId node, ValueId gradient,
                                       std::span<const bool> wanted) {
  const ValueId table = graph[node].inputs[0];
  const ValueId ids = graph[node].inputs[1];
  if (!wanted[0]) return {kNoValue, kNoValue};
  if (graph[node].op->name == "embedding_bag" &&
      poolingOf(graph[node].attributes) == cpu::Pooling::kMean) {
    gradient = graph.add("divide_by_bag_size", {gradient, ids});
  }
  if (graph[table].kind == NodeKind::kParameter) {
    return {graph.add("row_gradient", {gradient, ids}), kNoValue};
  }
  const int64_t rows = graph[table].type.shape[0];
  return {graph.add("scatter_add_rows", {gradient, ids}, {{"rows", rows}}), kNoValue};
}

// values [n.., dim], ids [n..] -> [rows, dim]: row r is the sum of the values whose id is r. Ids
// [n, width] belong `width` to a row of values [n, dim]; -1 is none.
TensorType scatterAddRowsType(const Attributes& attributes, std::span<const TensorType> inputs) {
  const Shape shape = rowGradientType(attributes, inputs).shape;
  return {DType::kFloat32, {attributes.get<int64_t>("rows"), shape.back()}};
}

void scatterAddRowsKernel(const RunContext&, const Attributes&, std::span<const TensorView> inputs,
                          const TensorView& output) {
  const int64_t dim = output.shape[1];
  cpu::clearBlock(output.f32(), dim, output.shape[0], dim);
  cpu::UniqueIds unique;
  const bool bags = areBags(inputs[0].shape, inputs[1].shape);
  const cpu::IdList ids{idsIn(inputs[1], 0, inputs[1].size()), bags ? inputs[1].shape[1] : 1};
  unique.build(output.shape[0], std::span(&ids, 1));
  const cpu::RowGradient rows{inputs[0].f32(), dim};
  for (int64_t u = 0; u < unique.size(); ++u) {
    cpu::sumRows(unique, std::span(&rows, 1), dim, u, u + 1,
                 output.f32() + unique.ids()[static_cast<size_t>(u)] * dim, dim);
  }
}

// The row gradients of one table from several lookups.
TensorType rowGradientsType(const Attributes&, std::span<const TensorType> inputs) {
  return inputs[0];
}

int64_t fieldCount(const Attributes& attributes, std::span<const TensorType> inputs) {
  const auto count = attributes.get<int64_t>("count");
  if (count < 1 || static_cast<int64_t>(inputs.size()) != 2 * count) {
    throwShape("gather_concat", inputs,
               std::to_string(count) + " tables, then as many id columns (attribute count)");
  }
  return count;
}

// `count` tables, then as many ids [rows] -> [rows, sum of dims]: concat of the embeddings.
TensorType gatherConcatType(const Attributes& attributes, std::span<const TensorType> inputs) {
  const auto fields = static_cast<size_t>(fieldCount(attributes, inputs));
  int64_t width = 0;
  for (size_t i = 0; i < fields; ++i) {
    requireTable("gather_concat", inputs, i);
    requireIds("gather_concat", inputs, fields + i);
    if (inputs[fields + i].shape.size() != 1 || inputs[fields + i] != inputs[fields]) {
      throwShape("gather_concat", inputs, "id columns [rows] of the same rows");
    }
    width += inputs[i].shape[1];
  }
  return {DType::kFloat32, {inputs[fields].shape[0], width}};
}

void gatherConcatKernel(const RunContext& context, const Attributes&,
                        std::span<const TensorView> inputs, const TensorView& output) {
  const size_t fields = inputs.size() / 2;
  const int64_t stride = output.rowStride;
  cpu::forChunks(context.pool, output.shape[0], cpu::rowsPerChunk(output.shape[1]),
                 [&](int64_t begin, int64_t end) {
                   float* to = output.f32() + begin * stride;
                   for (size_t i = 0; i < fields; ++i) {
                     const int64_t dim = inputs[i].shape[1];
                     cpu::gatherRows(inputs[i].f32(), dim, idsIn(inputs[fields + i], begin, end),
                                     to, stride);
                     to += dim;
                   }
                 });
}

std::vector<ValueId> gatherConcatBackward(Graph& graph, ValueId node, ValueId gradient,
                                          std::span<const bool> wanted) {
  const std::vector<ValueId> in = graph[node].inputs;
  const size_t fields = in.size() / 2;
  std::vector<ValueId> gradients(in.size(), kNoValue);
  int64_t start = 0;
  // Of a slice of a wider gradient the wider one: row gradients are read where they lie.
  if (graph[gradient].op != nullptr && graph[gradient].op->name == "slice") {
    start = graph[gradient].attributes.get<int64_t>("start");
    gradient = graph[gradient].inputs[0];
  }
  for (size_t i = 0; i < fields; ++i) {
    const int64_t dim = graph[in[i]].type.shape[1];
    if (wanted[i]) {
      const ValueId field = graph.add("slice", {gradient}, {{"start", start}, {"length", dim}});
      gradients[i] = graph.add("row_gradient", {field, in[fields + i]});
    }
    start += dim;
  }
  return gradients;
}

void checkIds(const char* op, const TensorView& ids, int64_t rows, bool padded = false) {
  for (int64_t i = 0; i < ids.size(); ++i) {
    const int32_t id = ids.i32()[i];
    if (id >= 0 && id < rows) continue;
    if (padded && id == cpu::kNoId) continue;
    const std::string expected =
        rows > 0 ? "0 to " + std::to_string(rows - 1) : std::string("none, as the table is empty");
    throw Error(ErrorKind::kData, std::string(op) + ": id " + std::to_string(id) + " at position " +
                                      std::to_string(i) + "; expected " + expected);
  }
}

void checkEmbedding(const Attributes&, std::span<const TensorView> inputs) {
  checkIds("embedding", inputs[1], inputs[0].shape[0]);
}

void checkEmbeddingBag(const Attributes&, std::span<const TensorView> inputs) {
  checkIds("embedding_bag", inputs[1], inputs[0].shape[0], true);
}

void checkScatterAddRows(const Attributes& attributes, std::span<const TensorView> inputs) {
  const bool bags = areBags(inputs[0].shape, inputs[1].shape);
  checkIds("scatter_add_rows", inputs[1], attributes.get<int64_t>("rows"), bags);
}

void checkGatherConcat(const Attributes&, std::span<const TensorView> inputs) {
  const size_t fields = inputs.size() / 2;
  for (size_t i = 0; i < fields; ++i) {
    checkIds("gather_concat", inputs[fields + i], inputs[i].shape[0]);
  }
}

}  // namespace

cpu::Pooling poolingOf(const Attributes& attributes) {
  const auto name = attributes.get<std::string>("pooling");
  if (name == "sum") return cpu::Pooling::kSum;
  if (name == "mean") return cpu::Pooling::kMean;
  throw Error(ErrorKind::kConfig,
              "embedding_bag: pooling '" + name + "'; expected 'sum' or 'mean'");
}

void registerEmbeddingOps(OpRegistry& registry) {
  registry.add({"embedding", 2, 2, embeddingType, embeddingBackward, embeddingKernel, false,
                checkEmbedding});
  registry.add({"embedding_bag", 2, 2, embeddingBagType, embeddingBackward, embeddingBagKernel,
                false, checkEmbeddingBag});
  registry.add({"divide_by_bag_size", 2, 2, divideByBagSizeType, nullptr, divideByBagSizeKernel});
  registry.add({"row_gradient", 2, 2, rowGradientType, nullptr, nullptr});
  registry.add({"row_gradients", 2, 2, rowGradientsType, nullptr, nullptr});
  registry.add({"scatter_add_rows", 2, 2, scatterAddRowsType, nullptr, scatterAddRowsKernel, false,
                checkScatterAddRows});
  registry.add({"gather_concat", 2, INT_MAX, gatherConcatType, gatherConcatBackward,
                gatherConcatKernel, false, checkGatherConcat});
}

}  // namespace polydomain
