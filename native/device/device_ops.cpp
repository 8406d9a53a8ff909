#include "device_ops.h"

#include <algorithm>
#include <numeric>

#include "cpu/elementwise.h"
#include "graph/effective_lookup.h"
#include "graph/layer.h"
#include "graph/op_rules.h"
#include "graph/ops.h"
#include "polydomain/error.h"

namespace polydomain {

namespace {

using Api = PolydomainCudaApi;
using Inputs = std::span<const TensorView>;

float numberOf(const Attributes& attributes, const char* name) {
  return static_cast<float>(attributes.get<double>(name));
}

// --- Products ------------------------------------------------------------------------------------

struct Matrix {
  const float* data;
  int64_t stride;
  bool transposed = false;
};

PolydomainCudaProduct productOf(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c,
                                int64_t ldc) {
  PolydomainCudaProduct p{};
  p.m = m;
  p.n = n;
  p.k = k;
  p.a = a.data;
  p.lda = a.stride;
  p.transposeA = a.transposed;
  p.b = b.data;
  p.ldb = b.stride;
  p.transposeB = b.transposed;
  p.c = c;
  p.ldc = ldc;
  p.keep = 1.0f;
  return p;
}

PolydomainCudaRandom randomOf(const DeviceContext& context, const Attributes& attributes) {
  const auto stream = static_cast<uint64_t>(attributes.get<int64_t>("stream"));
  const uint64_t key = philoxKey({context.seed, stream, 0});
  return {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32), context.step};
}

void addActivation(const DeviceContext& context, const Attributes& attributes,
                   PolydomainCudaProduct& p) {
  p.relu = attributes.get<bool>("relu", false);
  p.keep = static_cast<float>(attributes.get<double>("keep", 1.0));
  if (p.keep < 1.0f) p.random = randomOf(context, attributes);
}

void queue(const DeviceContext& context, const PolydomainCudaProduct& p) {
  context.device.call<&Api::product>(&p);
}

void linear(DeviceContext& context, const Attributes& attributes, Inputs inputs,
            const TensorView& output) {
  const int64_t out = inputs[1].shape[0], in = inputs[1].shape[1];
  PolydomainCudaProduct p =
      productOf(matrixRows(inputs[0]), out, in, {inputs[0].f32(), matrixStride(inputs[0])},
                {inputs[1].f32(), in, true}, output.f32(), matrixStride(output));
  if (inputs.size() == 3) p.bias = inputs[2].f32();
  addActivation(context, attributes, p);
  queue(context, p);
}

void inputGradient(DeviceContext& context, const Attributes& attributes, Inputs inputs,
                   const TensorView& output) {
  const int64_t out = inputs[1].shape[0], in = inputs[1].shape[1];
  PolydomainCudaProduct p =
      productOf(matrixRows(inputs[0]), in, out, {inputs[0].f32(), matrixStride(inputs[0])},
                {inputs[1].f32(), in}, output.f32(), matrixStride(output));
  if (inputs.size() == 3) {
    p.gate = inputs[2].f32();
    p.gateStride = matrixStride(inputs[2]);
    p.gateScale = 1.0f / static_cast<float>(attributes.get<double>("keep", 1.0));
  }
  queue(context, p);
}

void weightGradient(DeviceContext& context, const Attributes&, Inputs inputs,
                    const TensorView& output) {
  queue(context,
        productOf(output.shape[0], output.shape[1], matrixRows(inputs[0]),
                  {inputs[0].f32(), matrixStride(inputs[0]), true},
                  {inputs[1].f32(), matrixStride(inputs[1])}, output.f32(), output.shape[1]));
}

void matmul(DeviceContext& context, const Attributes& attributes, Inputs inputs,
            const TensorView& output) {
  const bool ta = attributes.get<bool>("transposeA", false);
  const bool tb = attributes.get<bool>("transposeB", false);
  queue(context,
        productOf(output.shape[0], output.shape[1], inputs[0].shape[ta ? 0 : 1],
                  {inputs[0].f32(), inputs[0].rowStride, ta},
                  {inputs[1].f32(), inputs[1].rowStride, tb}, output.f32(), output.rowStride));
}

void columnSum(DeviceContext& context, const Attributes&, Inputs inputs, const TensorView& output) {
  context.device.call<&Api::columnSum>(inputs[0].f32(), output.shape[0], matrixRows(inputs[0]),
                                       output.shape[0], output.f32());
}

// --- Products of which a domain's rows share columns (native/graph/ops_grouped.cpp) --------------

// out [count, shared]: the shared columns of x, a row for each group.
const float* sharedValues(DeviceContext& context, const DeviceGroups& groups, const TensorView& x,
                          int64_t shared) {
  float* values = context.values(groups.count * shared);
  const PolydomainCudaList list = {x.f32() + x.shape[1] - shared, x.rowStride};
  context.device.call<&Api::sumRows>(&list, 1, groups.firstRows, groups.each, groups.count, shared,
                                     values);
  return values;
}

void groupedLinear(DeviceContext& context, const Attributes& attributes, Inputs inputs,
                   const TensorView& output) {
  const int64_t out = inputs[1].shape[0], in = inputs[1].shape[1];
  const auto shared = attributes.get<int64_t>("shared");
  const int64_t own = in - shared;
  const DeviceGroups& groups = context.groupsOf(inputs.back());
  const float* values = sharedValues(context, groups, inputs[0], shared);
  float* products = context.products(groups.count * out);
  PolydomainCudaProduct constant = productOf(groups.count, out, shared, {values, shared},
                                             {inputs[1].f32() + own, in, true}, products, out);
  if (inputs.size() == 4) constant.bias = inputs[2].f32();
  queue(context, constant);
  PolydomainCudaProduct p =
      productOf(inputs[0].shape[0], out, own, {inputs[0].f32(), inputs[0].rowStride},
                {inputs[1].f32(), in, true}, output.f32(), output.rowStride);
  p.bias = products;
  p.biasRow = groups.ofRow;
  addActivation(context, attributes, p);
  queue(context, p);
}

void groupSum(DeviceContext& context, const Attributes&, Inputs inputs, const TensorView& output) {
  const DeviceGroups& groups = context.groupsOf(inputs[1]);
  const int64_t width = output.shape[1];
  if (groups.count == 1) {
    context.device.call<&Api::columnSum>(inputs[0].f32(), width, inputs[0].shape[0], width,
                                         output.f32());
    return;
  }
  const PolydomainCudaList list = {inputs[0].f32(), width};
  context.device.call<&Api::sumRows>(&list, 1, groups.rows, groups.offsets, groups.count, width,
                                     output.f32());
}

void groupTotal(DeviceContext& context, const Attributes&, Inputs inputs,
                const TensorView& output) {
  const int64_t width = output.shape[0];
  context.device.call<&Api::columnSum>(inputs[0].f32(), width, context.groupsOf(inputs[1]).count,
                                       width, output.f32());
}

void groupedInputGradient(DeviceContext& context, const Attributes& attributes, Inputs inputs,
                          const TensorView& output) {
  const int64_t rows = output.shape[0], in = output.shape[1], out = inputs[0].shape[1];
  const auto shared = attributes.get<int64_t>("shared");
  const int64_t own = in - shared;
  const float* weight = inputs[1].f32();
  const DeviceGroups& groups = context.groupsOf(inputs.back());
  queue(context, productOf(rows, own, out, {inputs[0].f32(), out}, {weight, in}, output.f32(), in));
  // A row of zeros behind them is what the rows get that are not the first of their group.
  float* products = context.products((groups.count + 1) * shared);
  queue(context, productOf(groups.count, shared, out, {inputs[2].f32(), out}, {weight + own, in},
                           products, shared));
  context.device.call<&Api::zero>(products + groups.count * shared,
                                  static_cast<size_t>(shared) * sizeof(float));
  context.device.call<&Api::gatherRows>(
      products, PolydomainCudaRows{groups.ofFirstRow, rows, shared}, output.f32() + own, in);
}

void groupedWeightGradient(DeviceContext& context, const Attributes& attributes, Inputs inputs,
                           const TensorView& output) {
  const int64_t out = output.shape[0], in = output.shape[1];
  const auto shared = attributes.get<int64_t>("shared");
  const int64_t own = in - shared;
  const DeviceGroups& groups = context.groupsOf(inputs.back());
  const float* values = sharedValues(context, groups, inputs[1], shared);
  queue(context, productOf(out, own, inputs[0].shape[0], {inputs[0].f32(), out, true},
                           {inputs[1].f32(), inputs[1].rowStride}, output.f32(), in));
  queue(context, productOf(out, shared, groups.count, {inputs[2].f32(), out, true},
                           {values, shared}, output.f32() + own, in));
}

// --- Lookups -------------------------------------------------------------------------------------

void lookups(DeviceContext& context, const Attributes&, Inputs inputs, const TensorView& output) {
  const size_t fields = inputs.size() / 2;
  const bool matrix = output.shape.size() == 2;
  float* to = output.f32();
  for (size_t i = 0; i < fields; ++i) {
    const TensorView& ids = inputs[fields + i];
    const int64_t dim = inputs[i].shape[1];
    context.device.call<&Api::gatherRows>(inputs[i].f32(),
                                          PolydomainCudaRows{ids.i32(), ids.size(), dim}, to,
                                          matrix ? output.rowStride : dim);
    to += dim;
  }
}

void embeddingBag(DeviceContext& context, const Attributes& attributes, Inputs inputs,
                  const TensorView& output) {
  const TensorView& ids = inputs[1];
  context.device.call<&Api::poolRows>(
      inputs[0].f32(), PolydomainCudaRows{ids.i32(), ids.shape[0], inputs[0].shape[1]},
      ids.shape[1], int32_t{poolingOf(attributes) == cpu::Pooling::kMean}, output.f32(),
      output.rowStride);
}

void divideByBagSize(DeviceContext& context, const Attributes&, Inputs inputs,
                     const TensorView& output) {
  const TensorView& ids = inputs[1];
  context.device.call<&Api::divideByBagSize>(
      inputs[0].f32(), PolydomainCudaRows{ids.i32(), ids.shape[0], output.shape[1]}, ids.shape[1],
      output.f32());
}

// --- Element by element --------------------------------------------------------------------------

PolydomainCudaShape flat(int64_t size) { return {1, {size}, {1}, {1}, {1}}; }

// Rows of `width` that are so far apart.
PolydomainCudaShape matrix(int64_t rows, int64_t width, int64_t from, int64_t to) {
  return {2, {rows, width}, {from, 1}, {0, 0}, {to, 1}};
}

void queueFunction(const DeviceContext& context, PolydomainCudaFunction function, float p, float q,
                   const PolydomainCudaShape& shape, const float* a, const float* b, float* c) {
  context.device.call<&Api::elementwise>(int32_t{function}, p, q, &shape, a, b, c);
}

void copyMatrix(const DeviceContext& context, int64_t rows, int64_t width, const float* from,
                int64_t fromStride, float* to, int64_t toStride) {
  queueFunction(context, POLYDOMAIN_CUDA_SCALE, 1.0f, 0.0f,
                matrix(rows, width, fromStride, toStride), from, nullptr, to);
}

template <PolydomainCudaFunction function>
void unary(DeviceContext& context, const Attributes& attributes, Inputs inputs,
           const TensorView& output) {
  float p = 0.0f, q = 0.0f;
  if constexpr (function == POLYDOMAIN_CUDA_SCALE) p = numberOf(attributes, "factor");
  if constexpr (function == POLYDOMAIN_CUDA_ADD_SCALAR) p = numberOf(attributes, "value");
  if constexpr (function == POLYDOMAIN_CUDA_POWER) p = numberOf(attributes, "exponent");
  if constexpr (function == POLYDOMAIN_CUDA_CLIP) {
    p = numberOf(attributes, "min");
    q = numberOf(attributes, "max");
  }
  queueFunction(context, function, p, q, flat(output.size()), inputs[0].f32(), nullptr,
                output.f32());
}

template <PolydomainCudaFunction function>
void binary(DeviceContext& context, const Attributes& attributes, Inputs inputs,
            const TensorView& output) {
  float p = 0.0f, q = 0.0f;
  if constexpr (function == POLYDOMAIN_CUDA_ACTIVATION_GRADIENT) {
    p = 1.0f / numberOf(attributes, "keep");
  }
  if constexpr (function == POLYDOMAIN_CUDA_CLIP_GRADIENT) {
    p = numberOf(attributes, "min");
    q = numberOf(attributes, "max");
  }
  const cpu::BroadcastRuns merged =
      cpu::mergeDimensions(output.shape, inputs[0].shape, inputs[1].shape);
  PolydomainCudaShape shape{};
  shape.rank = static_cast<int32_t>(merged.count);
  int64_t a = 1, b = 1, c = 1;
  for (size_t i = merged.count; i-- > 0;) {
    const auto& [size, repeatsA, repeatsB] = merged.runs[i];
    shape.size[i] = size;
    shape.a[i] = repeatsA ? 0 : a;
    shape.b[i] = repeatsB ? 0 : b;
    shape.c[i] = c;
    if (!repeatsA) a *= size;
    if (!repeatsB) b *= size;
    c *= size;
  }
  queueFunction(context, function, p, q, shape, inputs[0].f32(), inputs[1].f32(), output.f32());
}

void fillWith(const DeviceContext& context, float value, const TensorView& output) {
  queueFunction(context, POLYDOMAIN_CUDA_FILL, value, 0.0f, flat(output.size()), nullptr, nullptr,
                output.f32());
}

template <int value>
void constant(DeviceContext& context, const Attributes&, Inputs, const TensorView& output) {
  fillWith(context, static_cast<float>(value), output);
}

void fill(DeviceContext& context, const Attributes& attributes, Inputs, const TensorView& output) {
  fillWith(context, numberOf(attributes, "value"), output);
}

void dropout(DeviceContext& context, const Attributes& attributes, Inputs inputs,
             const TensorView& output) {
  context.device.call<&Api::dropout>(randomOf(context, attributes), numberOf(attributes, "keep"),
                                     output.size(), inputs[0].f32(), output.f32());
}

// --- Shapes --------------------------------------------------------------------------------------

void reshape(DeviceContext& context, const Attributes&, Inputs inputs, const TensorView& output) {
  if (inputs[0].data == output.data) return;
  const auto bytes = static_cast<size_t>(output.size()) * sizeOf(output.type);
  context.device.call<&Api::copyWithin>(output.data, inputs[0].data, bytes);
}

void concat(DeviceContext& context, const Attributes&, Inputs inputs, const TensorView& output) {
  float* to = output.f32();
  for (const TensorView& input : inputs) {
    copyMatrix(context, matrixRows(output), input.shape.back(), input.f32(), matrixStride(input),
               to, matrixStride(output));
    to += input.shape.back();
  }
}

void slice(DeviceContext& context, const Attributes& attributes, Inputs inputs,
           const TensorView& output) {
  copyMatrix(context, matrixRows(output), output.shape.back(),
             inputs[0].f32() + attributes.get<int64_t>("start"), matrixStride(inputs[0]),
             output.f32(), matrixStride(output));
}

void sliceGradient(DeviceContext& context, const Attributes& attributes, Inputs inputs,
                   const TensorView& output) {
  const int64_t rows = matrixRows(output), stride = matrixStride(output);
  queueFunction(context, POLYDOMAIN_CUDA_FILL, 0.0f, 0.0f,
                matrix(rows, output.shape.back(), 0, stride), nullptr, nullptr, output.f32());
  copyMatrix(context, rows, inputs[0].shape.back(), inputs[0].f32(), matrixStride(inputs[0]),
             output.f32() + attributes.get<int64_t>("start"), stride);
}

// --- Sums ----------------------------------------------------------------------------------------

double scaleOf(bool mean, const Middle& m) {
  return mean && m.reduced > 0 ? 1.0 / static_cast<double>(m.reduced) : 1.0;
}

template <bool mean>
void sum(DeviceContext& context, const Attributes& attributes, Inputs inputs,
         const TensorView& output) {
  const Middle m = middleOf(attributes, inputs[0].shape);
  context.device.call<&Api::sumMiddle>(m.outer, m.reduced, m.inner, scaleOf(mean, m),
                                       inputs[0].f32(), output.f32());
}

template <bool mean>
void sumGradient(DeviceContext& context, const Attributes& attributes, Inputs inputs,
                 const TensorView& output) {
  const Middle m = middleOf(attributes, output.shape);
  const PolydomainCudaShape shape = {
      3, {m.outer, m.reduced, m.inner}, {m.inner, 0, 1}, {}, {m.reduced * m.inner, m.inner, 1}};
  queueFunction(context, POLYDOMAIN_CUDA_SCALE, static_cast<float>(scaleOf(mean, m)), 0.0f, shape,
                inputs[0].f32(), nullptr, output.f32());
}

void sumToLike(DeviceContext& context, const Attributes&, Inputs inputs, const TensorView& output) {
  const cpu::BroadcastRuns merged =
      cpu::mergeDimensions(inputs[0].shape, output.shape, inputs[0].shape);
  Middle m = {1, 1, 1};
  bool passed = false;
  for (size_t i = 0; i < merged.count; ++i) {
    const auto& run = merged.runs[i];
    if (run.repeatsA && passed) {
      throw Error(ErrorKind::kDevice,
                  "op 'sum_to_like' from " + toString(inputs[0].shape) + " to " +
                      toString(output.shape) +
                      " has no CUDA kernel; expected one run of dimensions to sum over, or "
                      "device 'cpu'");
    }
    if (run.repeatsA) {
      m.reduced = run.size;
      passed = true;
    } else {
      (passed ? m.inner : m.outer) *= run.size;
    }
  }
  context.device.call<&Api::sumMiddle>(m.outer, m.reduced, m.inner, 1.0, inputs[0].f32(),
                                       output.f32());
}

// --- Softmax -------------------------------------------------------------------------------------

template <int32_t logarithm>
void softmax(DeviceContext& context, const Attributes&, Inputs inputs, const TensorView& output) {
  context.device.call<&Api::softmax>(logarithm, matrixRows(output), output.shape.back(),
                                     inputs[0].f32(), output.f32());
}

template <int32_t logarithm>
void softmaxGradient(DeviceContext& context, const Attributes&, Inputs inputs,
                     const TensorView& output) {
  context.device.call<&Api::softmaxGradient>(logarithm, matrixRows(output), output.shape.back(),
                                             inputs[0].f32(), inputs[1].f32(), output.f32());
}

// --- Losses --------------------------------------------------------------------------------------

void bce(DeviceContext& context, const Attributes&, Inputs inputs, const TensorView& output) {
  const float* weights = inputs.size() > 2 ? inputs[2].f32() : nullptr;
  context.device.call<&Api::bceWithLogits>(inputs[0].shape[0], inputs[0].f32(), inputs[1].f32(),
                                           weights, output.f32());
}

void bceGradient(DeviceContext& context, const Attributes&, Inputs inputs,
                 const TensorView& output) {
  const float* weights = inputs.size() > 3 ? inputs[3].f32() : nullptr;
  context.device.call<&Api::bceWithLogitsGradient>(
      inputs[0].shape[0], inputs[0].f32(), inputs[1].f32(), weights, inputs[2].f32(), output.f32());
}

const std::map<std::string, DeviceKernel>& kernels() {
  static const std::map<std::string, DeviceKernel> all = {
      {"linear", linear},
      {"linear_input_gradient", inputGradient},
      {"linear_weight_gradient", weightGradient},
      {"matmul", matmul},
      {"column_sum", columnSum},
      {"grouped_linear", groupedLinear},
      {"group_sum", groupSum},
      {"group_total", groupTotal},
      {"grouped_input_gradient", groupedInputGradient},
      {"grouped_weight_gradient", groupedWeightGradient},
      {"embedding", lookups},
      {"gather_concat", lookups},
      {"embedding_bag", embeddingBag},
      {"divide_by_bag_size", divideByBagSize},
      {"add", binary<POLYDOMAIN_CUDA_ADD>},
      {"sub", binary<POLYDOMAIN_CUDA_SUB>},
      {"mul", binary<POLYDOMAIN_CUDA_MUL>},
      {"div", binary<POLYDOMAIN_CUDA_DIV>},
      {"maximum", binary<POLYDOMAIN_CUDA_MAXIMUM>},
      {"minimum", binary<POLYDOMAIN_CUDA_MINIMUM>},
      {"step", binary<POLYDOMAIN_CUDA_STEP>},
      {"relu_gradient", binary<POLYDOMAIN_CUDA_RELU_GRADIENT>},
      {"sigmoid_gradient", binary<POLYDOMAIN_CUDA_SIGMOID_GRADIENT>},
      {"tanh_gradient", binary<POLYDOMAIN_CUDA_TANH_GRADIENT>},
      {"sqrt_gradient", binary<POLYDOMAIN_CUDA_SQRT_GRADIENT>},
      {"reciprocal_gradient", binary<POLYDOMAIN_CUDA_RECIPROCAL_GRADIENT>},
      {"square_gradient", binary<POLYDOMAIN_CUDA_SQUARE_GRADIENT>},
      {"abs_gradient", binary<POLYDOMAIN_CUDA_ABS_GRADIENT>},
      {"softplus_gradient", binary<POLYDOMAIN_CUDA_SOFTPLUS_GRADIENT>},
      {"clip_gradient", binary<POLYDOMAIN_CUDA_CLIP_GRADIENT>},
      {"activation_gradient", binary<POLYDOMAIN_CUDA_ACTIVATION_GRADIENT>},
      {"neg", unary<POLYDOMAIN_CUDA_NEG>},
      {"exp", unary<POLYDOMAIN_CUDA_EXP>},
      {"log", unary<POLYDOMAIN_CUDA_LOG>},
      {"sqrt", unary<POLYDOMAIN_CUDA_SQRT>},
      {"square", unary<POLYDOMAIN_CUDA_SQUARE>},
      {"abs", unary<POLYDOMAIN_CUDA_ABS>},
      {"relu", unary<POLYDOMAIN_CUDA_RELU>},
      {"sigmoid", unary<POLYDOMAIN_CUDA_SIGMOID>},
      {"tanh", unary<POLYDOMAIN_CUDA_TANH>},
      {"softplus", unary<POLYDOMAIN_CUDA_SOFTPLUS>},
      {"reciprocal", unary<POLYDOMAIN_CUDA_RECIPROCAL>},
      {"scale", unary<POLYDOMAIN_CUDA_SCALE>},
      {"add_scalar", unary<POLYDOMAIN_CUDA_ADD_SCALAR>},
      {"pow_scalar", unary<POLYDOMAIN_CUDA_POWER>},
      {"clip", unary<POLYDOMAIN_CUDA_CLIP>},
      {"ones_like", constant<1>},
      {"zeros_like", constant<0>},
      {"fill", fill},
      {"dropout", dropout},
      {"dropout_gradient", dropout},
      {"reshape", reshape},
      {"stop_gradient", reshape},
      {"concat", concat},
      {"slice", slice},
      {"slice_gradient", sliceGradient},
      {"sum", sum<false>},
      {"mean", sum<true>},
      {"sum_gradient", sumGradient<false>},
      {"mean_gradient", sumGradient<true>},
      {"sum_to_like", sumToLike},
      {"softmax", softmax<0>},
      {"log_softmax", softmax<1>},
      {"softmax_gradient", softmaxGradient<0>},
      {"log_softmax_gradient", softmaxGradient<1>},
      {"bce_with_logits", bce},
      {"bce_with_logits_gradient", bceGradient}};
  return all;
}

}  // namespace

void DeviceContext::begin(uint64_t newSeed, uint64_t newStep) {
  seed = newSeed;
  columns_.clear();
  step = memory.add(std::span<const uint64_t>(&newStep, 1));
}

const void* DeviceContext::send(const void* column, size_t bytes, bool ids) {
  const void* place = memory.add(std::span(static_cast<const char*>(column), bytes));
  if (ids) columns_[place].host = column;
  return place;
}

const DeviceGroups& DeviceContext::group(const TensorView& ids) {
  Column& column = columns_.at(ids.data);
  const std::span own(static_cast<const int32_t*>(column.host), static_cast<size_t>(ids.size()));
  const cpu::IdList list{own};
  unique_.build(int64_t{std::ranges::max(own)} + 1, std::span(&list, 1));
  DeviceGroups& groups = column.groups;
  groups.count = unique_.size();
  std::vector<PolydomainCudaPosition> rows, firstRows;
  std::vector<int32_t> offsets = {0}, each(static_cast<size_t>(groups.count) + 1);
  std::vector<int32_t> ofFirstRow(own.size(), static_cast<int32_t>(groups.count));
  std::iota(each.begin(), each.end(), 0);
  for (int64_t g = 0; g < groups.count; ++g) {
    const auto places = unique_.positions(g);
    for (const auto& place : places) rows.push_back({0, place.row});
    firstRows.push_back({0, places[0].row});
    ofFirstRow[static_cast<size_t>(places[0].row)] = static_cast<int32_t>(g);
    offsets.push_back(static_cast<int32_t>(rows.size()));
  }
  const auto add = [&]<typename T>(const std::vector<T>& values) {
    return memory.add(std::span<const T>(values));
  };
  if (groups.count > 1) {
    groups.ofRow = memory.add(unique_.uniqueOf());
    groups.rows = add(rows);
    groups.offsets = add(offsets);
  }
  groups.ofFirstRow = add(ofFirstRow);
  groups.firstRows = add(firstRows);
  groups.each = add(each);
  return groups;
}

bool readsGroups(const std::string& op) {
  return op == "grouped_linear" || op == "group_sum" || op == "group_total" ||
         op == "grouped_input_gradient" || op == "grouped_weight_gradient";
}

DeviceKernel findDeviceKernel(const std::string& op) {
  const auto found = kernels().find(op);
  if (found != kernels().end()) return found->second;
  throw Error(ErrorKind::kDevice,
              "op '" + op + "' has no CUDA kernel; expected a model without it, or device 'cpu'");
}

}  // namespace polydomain
