// A traced graph made into steps: differentiated, fused, its values bound to the space.

#include "effective_lookup.h"
#include "polydomain/error.h"
#include "program_impl.h"
#include "rewrite.h"

namespace polydomain {

Program::Impl::Impl(const Graph& graph, ParameterSpace& space, ProgramOptions options)
    : space_(space), options_(std::move(options)) {
  checkOutput(graph);
  build(graph);
  if (options_.device != nullptr) {
    DeviceProgram::requireKernels(graph_);
    device_ = std::make_unique<DeviceProgram>(*options_.device);
  }
  findParameters();
  if (differentiates()) findAverages();
  placeGradients();
}

void Program::Impl::checkOutput(const Graph& graph) const {
  const ValueId output = options_.output;
  if (output < 0 || output >= graph.size()) {
    throw Error(ErrorKind::kConfig, "program: output is not a value of the graph");
  }
  const Shape& shape = graph[output].type.shape;
  const bool column = shape.size() == 1 || (shape.size() == 2 && shape[1] == 1);
  if (!column || shape[0] != kRows) {
    throw Error(ErrorKind::kShape,
                "program: output " + toString(shape) + "; expected [rows] or [rows, 1]");
  }
  if (options_.mode != Mode::kPredict && (options_.loss < 0 || options_.loss >= graph.size() ||
                                          elementCount(graph[options_.loss].type.shape) != 1)) {
    throw Error(ErrorKind::kShape, "program: the loss is not a scalar of the graph");
  }
}

void Program::Impl::build(const Graph& graph) {
  const bool withLoss = options_.mode != Mode::kPredict;
  std::vector<ValueId> keep{options_.output};
  if (withLoss) keep.push_back(options_.loss);
  const bool training = differentiates();
  // A layer that is not trained keeps its statistics and works with them.
  const auto averages = [&](const std::string& parameter) {
    const Selection& trained = options_.trained;
    if (!training || trained.empty()) return training;
    return static_cast<bool>(trained[static_cast<size_t>(space_.find(parameter))]);
  };
  Rewritten forward =
      rewriteForward(graph, keep, training && options_.dropout, options_.fuse, averages);
  if (training) {
    const Selection wanted = space_.trainable(options_.trained);
    std::vector<ValueId> trained;
    for (ValueId v = 0; v < forward.graph.size(); ++v) {
      const Node& node = forward.graph[v];
      if (node.kind != NodeKind::kParameter) continue;
      if (wanted[static_cast<size_t>(space_.find(node.name))]) trained.push_back(v);
    }
    keep = forward.kept;
    const std::vector<ValueId> gradients = appendBackward(forward.graph, keep[1], trained);
    keep.insert(keep.end(), trained.begin(), trained.end());
    keep.insert(keep.end(), gradients.begin(), gradients.end());
    if (options_.fuse) {
      forward = rewriteBackward(forward.graph, keep);
      keep = forward.kept;
    }
    const size_t count = trained.size();
    trained_.assign(keep.begin() + 2, keep.begin() + 2 + static_cast<std::ptrdiff_t>(count));
    gradientsOf_.assign(keep.begin() + 2 + static_cast<std::ptrdiff_t>(count), keep.end());
  } else {
    keep = forward.kept;
  }
  graph_ = std::move(forward.graph);
  output_ = keep[0];
  if (withLoss) loss_ = keep[1];
}

void Program::Impl::findParameters() {
  values_.resize(static_cast<size_t>(graph_.size()));
  columns_.resize(static_cast<size_t>(graph_.size()));
  for (ValueId v = 0; v < graph_.size(); ++v) {
    const Node& node = graph_[v];
    TensorView& view = viewOf(v);
    view.type = node.type.type;
    view.shape = node.type.shape;
    view.rowStride = view.rowSize();
    if (!view.shape.empty() && view.shape[0] == kRows) rowValues_.push_back(v);
    if (node.kind == NodeKind::kInput) {
      inputs_.push_back(v);
      inputNames_.push_back(node.name);
    }
    if (node.kind != NodeKind::kParameter) continue;
    const int parameter = space_.find(node.name);
    const ParameterSpec& spec = space_.parameter(parameter);
    if (spec.shape != node.type.shape) {
      throw Error(ErrorKind::kShape, "parameter '" + node.name + "' is " + toString(spec.shape) +
                                         " in the space and " + toString(node.type.shape) +
                                         " in the graph");
    }
    view.data = space_.data(parameter);
    if (spec.kind == ParameterKind::kTable) {
      tables_.emplace_back();
      tables_.back().parameter = parameter;
      tables_.back().value = v;
    } else {
      dense_.push_back({parameter, v, kNoValue});
    }
  }
  for (ValueId v = 0; v < graph_.size(); ++v) {
    const Node& node = graph_[v];
    if (node.kind != NodeKind::kOp) continue;
    registerLookups(v);
    if (node.op->cpu == nullptr || skipped(v)) continue;
    if (device_ && readsGroups(node.op->name) &&
        std::ranges::find(grouped_, node.inputs.back()) == grouped_.end()) {
      grouped_.push_back(node.inputs.back());
    }
    steps_.push_back({v, node.op->cpu, device_ ? findDeviceKernel(node.op->name) : nullptr,
                      lookupRegions(graph_, space_, v)});
  }
}

void Program::Impl::registerLookups(ValueId v) {
  const Node& node = graph_[v];
  const bool bag = isOp(graph_, v, "embedding_bag");
  const size_t count = isLookup(node) ? lookupCount(node) : 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    TableUse* use = tableOf(node.inputs[i]);
    if (use == nullptr) continue;
    if (i >= count) {
      throw Error(ErrorKind::kTrace, "table '" + graph_[use->value].name + "' is read by op '" +
                                         node.op->name +
                                         "'; expected embedding, or a dense parameter");
    }
    const ValueId ids = node.inputs[count + i];
    use->ids.push_back({idInput(ids), bag ? graph_[ids].type.shape[1] : 0});
    use->lookups.push_back(use->ids.back());
  }
  for (size_t i = 0; i < count; ++i) {
    const Node& table = graph_[node.inputs[i]];
    if (table.kind == NodeKind::kParameter && tableOf(node.inputs[i]) == nullptr) {
      throw Error(ErrorKind::kTrace,
                  "dense parameter '" + table.name + "' is read by embedding; expected a table");
    }
  }
}

ValueId Program::Impl::idInput(ValueId ids) const {
  while (isOp(graph_, ids, "reshape")) ids = graph_[ids].inputs[0];
  if (graph_[ids].kind == NodeKind::kInput) return ids;
  throw Error(ErrorKind::kTrace, "the ids of an embedding come from op '" + graph_[ids].op->name +
                                     "'; expected an input of the batch");
}

Program::Impl::TableUse* Program::Impl::tableOf(ValueId value) {
  for (TableUse& use : tables_) {
    if (use.value == value) return &use;
  }
  return nullptr;
}

bool Program::Impl::skipped(ValueId v) const {
  if (!isOp(graph_, v, "slice")) return false;
  bool read = false;
  for (ValueId reader = v + 1; reader < graph_.size(); ++reader) {
    for (const ValueId input : graph_[reader].inputs) {
      if (input != v) continue;
      if (!isOp(graph_, reader, "row_gradient")) return false;
      read = true;
    }
  }
  return read;
}

void Program::Impl::placeGradients() {
  placed_.assign(static_cast<size_t>(graph_.size()), false);
  kept_ = {output_};
  if (loss_ != kNoValue) kept_.push_back(loss_);
  if (!differentiates()) return;
  for (const RunningAverage& average : averages_) kept_.push_back(average.value);
  const int64_t floats = space_.unitCount(0) * kDenseBlock;
  if (device_) {
    deviceGradients_ = device_->gradients(floats);
  } else {
    gradients_ = Storage::allocate(static_cast<size_t>(floats) * sizeof(float));
  }
  for (size_t i = 0; i < trained_.size(); ++i) {
    const ValueId gradient = gradientsOf_[i];
    if (gradient == kNoValue) continue;
    if (TableUse* use = tableOf(trained_[i])) {
      gradientIds_.clear();
      collectRowSources(*use, gradient);
      for (const RowSource& source : use->gradients) kept_.push_back(source.value);
      use->ids = gradientIds_;
      continue;
    }
    for (DenseUse& use : dense_) {
      if (use.value != trained_[i]) continue;
      use.gradient = gradient;
      const int64_t offset = floatsOf(use).first;
      if (placed_[static_cast<size_t>(gradient)]) {
        copies_.push_back({gradient, offset});
      } else {
        placed_[static_cast<size_t>(gradient)] = true;
        viewOf(gradient).data = gradientSlab() + offset;
      }
    }
  }
}

void Program::Impl::collectRowSources(TableUse& use, ValueId gradient) {
  const Node& node = graph_[gradient];
  if (isOp(graph_, gradient, "row_gradients")) {
    for (const ValueId part : node.inputs) collectRowSources(use, part);
    return;
  }
  RowSource source{node.inputs[0], 0};
  if (skipped(source.value)) {
    source.start = graph_[source.value].attributes.get<int64_t>("start");
    source.value = graph_[source.value].inputs[0];
  }
  use.gradients.push_back(source);
  const Shape& ids = graph_[node.inputs[1]].type.shape;
  const bool bag = node.type.shape.size() == ids.size();
  gradientIds_.push_back({idInput(node.inputs[1]), bag ? ids[1] : 0});
}

}  // namespace polydomain
