#include "polydomain/program.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/chunks.h"
#include "cpu/embedding.h"
#include "effective_lookup.h"
#include "memory_plan.h"
#include "polydomain/error.h"
#include "rewrite.h"

namespace polydomain {

namespace {

bool isOp(const Graph& graph, ValueId value, const char* name) {
  return graph[value].op != nullptr && graph[value].op->name == name;
}

// Rows of gradient that are summed before the optimizer gets them: one first-level cache of them.
constexpr int64_t kRowBlockFloats = 4096;

}  // namespace

class Program::Impl {
 public:
  Impl(const Graph& graph, ParameterSpace& space, ProgramOptions options)
      : space_(space), options_(std::move(options)) {
    checkOutput(graph);
    build(graph);
    findParameters();
    if (differentiates()) findAverages();
    placeGradients();
  }

  void beginPass() {
    const bool everything = space_.overlayOpen();
    for (const DenseUse& use : dense_) {
      const bool trained = options_.mode == Mode::kTrain && use.gradient != kNoValue;
      const bool own = everything && space_.parameter(use.parameter).trainable;
      if (own || trained) space_.touchDense(use.parameter);
    }
    for (const RunningAverage& average : averages_) {
      if (average.slot == kNoValue) space_.touchDense(average.parameter);
    }
  }

  void run(const Run& run) {
    if (run.rows == 0) throw Error(ErrorKind::kData, "a program runs one row at least, not 0");
    if (run.profile != nullptr) labelSteps(*run.profile);
    bind(run);
    if (differentiates()) {
      announceRows(run);
      announceSlots();
    }
    lap(run.profile, Profile::kFindRows);
    const RunContext context{*run.pool, run.seed, run.step};
    for (const Step& step : steps_) {
      const Node& node = graph_[step.value];
      views_.clear();
      for (const ValueId input : node.inputs) views_.push_back(viewOf(input));
      if (run.overlay >= 0 && !step.regions.empty()) {
        lookupEffective(space_, run.overlay, *run.pool, node, step.regions, views_,
                        viewOf(step.value));
      } else {
        step.kernel(context, node.attributes, views_, viewOf(step.value));
      }
      lap(run.profile, step.label);
    }
    if (loss_ != kNoValue) requireFinite(*viewOf(loss_).f32());
    moveAverages();
    for (const GradientCopy& copy : copies_) {
      std::memcpy(gradientSlab() + copy.offset, viewOf(copy.from).f32(),
                  static_cast<size_t>(viewOf(copy.from).size()) * sizeof(float));
    }
    if (options_.mode == Mode::kTrain) applyOptimizer(run);
    if (options_.mode == Mode::kGradient) {
      collectGradients(run);
      lap(run.profile, Profile::kCollectGradients);
    }
  }

  const std::vector<std::string>& inputNames() const { return inputNames_; }
  DType inputType(size_t input) const { return viewOf(inputs_[input]).type; }
  int64_t inputSize(size_t input, int64_t rows) const {
    return elementsOf(graph_[inputs_[input]].type.shape, rows);
  }

  void checkIds(size_t input, const void* column, int64_t rows) const {
    const auto* ids = static_cast<const int32_t*>(column);
    for (const TableUse& use : tables_) {
      bool read = false, bags = true;
      for (const Lookup& lookup : use.lookups) {
        if (lookup.ids != inputs_[input]) continue;
        read = true;
        bags = bags && lookup.width > 0;
      }
      if (!read) continue;
      const ParameterSpec& spec = space_.parameter(use.parameter);
      for (int64_t row = 0; row < rows; ++row) {
        if (ids[row] >= 0 && ids[row] < spec.shape[0]) continue;
        if (ids[row] == cpu::kNoId && bags) continue;
        throw Error(ErrorKind::kData, "input '" + inputNames_[input] + "', row " +
                                          std::to_string(row) + ": id " + std::to_string(ids[row]) +
                                          "; '" + spec.name + "' has ids 0 to " +
                                          std::to_string(spec.shape[0] - 1) +
                                          (ids[row] == cpu::kNoId ? ", and bags alone -1" : ""));
      }
    }
  }

  const float* output() const { return viewOf(output_).f32(); }
  float loss() const { return *viewOf(loss_).f32(); }
  size_t scratchBytes() const {
    return (scratch_ ? scratch_->bytes() : 0) + (gradients_ ? gradients_->bytes() : 0);
  }

  std::string describe() const {
    std::string text;
    for (const Step& step : steps_) {
      const Node& node = graph_[step.value];
      text += "%" + std::to_string(step.value) + " = " + node.op->name + "(";
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const Node& input = graph_[node.inputs[i]];
        if (i > 0) text += ", ";
        text += input.kind == NodeKind::kOp ? "%" + std::to_string(node.inputs[i]) : input.name;
      }
      text += ") " + toString(node.type.shape) + "\n";
    }
    for (const TableUse& use : tables_) {
      if (use.gradients.empty()) continue;
      text += "update rows of " + space_.parameter(use.parameter).name + "\n";
    }
    for (const DenseUse& use : dense_) {
      if (use.gradient == kNoValue) continue;
      text += "update " + space_.parameter(use.parameter).name + "\n";
    }
    return text;
  }

 private:
  struct Step {
    ValueId value;
    Kernel kernel;
    std::vector<int> regions;  // of the tables of a lookup that reads nothing else
    int32_t label = -1;        // in the profile
  };
  struct DenseUse {
    int parameter;
    ValueId value;
    ValueId gradient;  // kNoValue: not trained
  };
  // Gradient rows in a value that may be wider: columns from `start` on.
  struct RowSource {
    ValueId value;
    int64_t start;
  };
  // Ids that a table is read by: an input of the batch.
  struct Lookup {
    ValueId ids;
    int64_t width;  // of bags: ids to a row of the result, kNoId for none; 0: one id to a row
  };
  struct TableUse {
    int parameter = -1;
    ValueId value = kNoValue;
    std::vector<Lookup> lookups;
    std::vector<Lookup> ids;           // those of them that have a gradient; all when not trained
    ValueId gradient = kNoValue;       // row_gradient(s)
    std::vector<RowSource> gradients;  // empty: not trained; else beside `ids`
    cpu::UniqueIds unique;
    std::vector<cpu::IdList> lists;
    std::vector<cpu::RowGradient> rows;
  };
  // A value whose average over the steps a parameter keeps, or a slot of a table.
  struct RunningAverage {
    ValueId value;
    int parameter;
    ValueId slot;  // input [1]; kNoValue: the parameter is dense
    double momentum;
  };
  struct GradientCopy {
    ValueId from;
    int64_t offset;
  };
  // One piece of the optimizer's work: a range of a dense parameter, or of a table's unique rows.
  struct Update {
    UpdateScalars scalars;
    TableUse* table;  // null: dense
    int64_t begin, end;
  };

  bool differentiates() const {
    return options_.mode == Mode::kTrain || options_.mode == Mode::kGradient;
  }

  const TensorView& viewOf(ValueId value) const { return values_[static_cast<size_t>(value)]; }
  TensorView& viewOf(ValueId value) { return values_[static_cast<size_t>(value)]; }

  float* gradientSlab() const { return static_cast<float*>(gradients_->data()); }

  void checkOutput(const Graph& graph) const {
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

  void build(const Graph& graph) {
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

  void findParameters() {
    values_.resize(static_cast<size_t>(graph_.size()));
    for (ValueId v = 0; v < graph_.size(); ++v) {
      const Node& node = graph_[v];
      TensorView& view = viewOf(v);
      view.type = node.type.type;
      view.shape = node.type.shape;
      view.rowStride =
          elementsOf(Shape(view.shape.begin() + !view.shape.empty(), view.shape.end()), 1);
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
      const std::vector<int> regions = registerLookups(v);
      if (node.op->cpu != nullptr && !skipped(v)) steps_.push_back({v, node.op->cpu, regions});
    }
  }

  // Notes which ids read which table; refuses tables in any other place. Returns the regions of a
  // lookup's tables.
  std::vector<int> registerLookups(ValueId v) {
    const Node& node = graph_[v];
    const bool bag = isOp(graph_, v, "embedding_bag");
    const size_t count = isLookup(node) ? lookupCount(node) : 0;
    std::vector<int> regions;
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
      regions.push_back(space_.regionOf(use->parameter));
    }
    for (size_t i = 0; i < count; ++i) {
      const Node& table = graph_[node.inputs[i]];
      if (table.kind == NodeKind::kParameter && tableOf(node.inputs[i]) == nullptr) {
        throw Error(ErrorKind::kTrace,
                    "dense parameter '" + table.name + "' is read by embedding; expected a table");
      }
    }
    if (regions.size() < count) regions.clear();
    return regions;
  }

  TableUse* tableOf(ValueId value) {
    for (TableUse& use : tables_) {
      if (use.value == value) return &use;
    }
    return nullptr;
  }

  ValueId idInput(ValueId ids) const {
    while (isOp(graph_, ids, "reshape")) ids = graph_[ids].inputs[0];
    if (graph_[ids].kind == NodeKind::kInput) return ids;
    throw Error(ErrorKind::kTrace, "the ids of an embedding come from op '" + graph_[ids].op->name +
                                       "'; expected an input of the batch");
  }

  void findAverages() {
    for (ValueId v = 0; v < graph_.size(); ++v) {
      if (!isOp(graph_, v, "running_average")) continue;
      ValueId average = graph_[v].inputs[1];
      while (isOp(graph_, average, "reshape")) average = graph_[average].inputs[0];
      ValueId slot = kNoValue;
      if (isOp(graph_, average, "embedding")) {
        slot = idInput(graph_[average].inputs[1]);
        average = graph_[average].inputs[0];
      }
      const Node& kept = graph_[average];
      const bool one = slot == kNoValue || graph_[slot].type.shape == Shape{1};
      if (kept.kind != NodeKind::kParameter || !one ||
          space_.parameter(space_.find(kept.name)).trainable) {
        throw Error(ErrorKind::kTrace,
                    "running_average: its second input is no parameter that is not trainable; "
                    "expected one, or one slot of such a table");
      }
      const int parameter = space_.find(kept.name);
      averages_.push_back({v, parameter, slot, graph_[v].attributes.get<double>("momentum")});
    }
  }

  // A slice whose only purpose is to name the columns of a row gradient is read where it lies.
  bool skipped(ValueId v) const {
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

  void collectRowSources(TableUse& use, ValueId gradient) {
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

  void placeGradients() {
    placed_.assign(static_cast<size_t>(graph_.size()), false);
    kept_ = {output_};
    if (loss_ != kNoValue) kept_.push_back(loss_);
    if (!differentiates()) return;
    for (const RunningAverage& average : averages_) kept_.push_back(average.value);
    gradients_ =
        Storage::allocate(static_cast<size_t>(space_.unitCount(0) * kDenseBlock) * sizeof(float));
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
        const int64_t offset = space_.firstUnitOf(use.parameter) * kDenseBlock;
        if (placed_[static_cast<size_t>(gradient)]) {
          copies_.push_back({gradient, offset});
        } else {
          placed_[static_cast<size_t>(gradient)] = true;
          viewOf(gradient).data = gradientSlab() + offset;
        }
      }
    }
  }

  void bind(const Run& run) {
    if (run.rows > capacity_) {
      const MemoryPlan plan = planMemory(graph_, placed_, kept_, run.rows);
      scratch_ = Storage::allocate(static_cast<size_t>(plan.floats) * sizeof(float));
      for (ValueId v = 0; v < graph_.size(); ++v) {
        const int64_t offset = plan.offsets[static_cast<size_t>(v)];
        if (offset == MemoryPlan::kElsewhere) continue;
        viewOf(v).data = static_cast<float*>(scratch_->data()) + offset;
      }
      capacity_ = run.rows;
    }
    if (run.rows != rows_) {
      for (const ValueId v : rowValues_) viewOf(v).shape[0] = run.rows;
      rows_ = run.rows;
    }
    for (size_t i = 0; i < inputs_.size(); ++i) {
      viewOf(inputs_[i]).data = const_cast<void*>(run.inputs[i].data);
    }
    const float* slab = run.dense != nullptr ? run.dense : space_.region(0);
    for (const DenseUse& use : dense_) {
      viewOf(use.value).data =
          const_cast<float*>(slab) + space_.firstUnitOf(use.parameter) * kDenseBlock;
    }
  }

  void findUnique(TableUse& use, const std::vector<Lookup>& lookups) {
    use.lists.clear();
    for (const auto& [ids, width] : lookups) {
      const TensorView& view = viewOf(ids);
      use.lists.push_back(
          {{view.i32(), static_cast<size_t>(view.size())}, std::max<int64_t>(1, width)});
    }
    use.unique.build(space_.unitCount(space_.regionOf(use.parameter)), use.lists);
  }

  static std::span<const uint32_t> rowsOf(const TableUse& use) {
    const std::span<const int32_t> ids = use.unique.ids();
    return {reinterpret_cast<const uint32_t*>(ids.data()), ids.size()};
  }

  void touch(const TableUse& use) { space_.touch(space_.regionOf(use.parameter), rowsOf(use)); }

  // Finds the distinct rows of every table and announces them before anything reads them: an open
  // overlay forms its effective values then, and rows get the steps that they lack.
  void announceRows(const Run& run) {
    const bool overlay = space_.overlayOpen();
    const auto lags = [&](const TableUse& use) {
      return run.optimizer != nullptr && run.optimizer->lags(use.parameter);
    };
    const auto formed = [&](const TableUse& use) {
      return lags(use) || (overlay && space_.parameter(use.parameter).trainable);
    };
    const auto wanted = [&](const TableUse& use) { return !use.gradients.empty() || formed(use); };
    const auto announce = [&](const TableUse& use) {
      touch(use);
      if (!lags(use)) return;
      lap(run.profile, Profile::kFindRows);
      run.optimizer->catchUp(use.parameter, rowsOf(use), *run.pool);
      lap(run.profile, Profile::kCatchUpRows);
    };
    for (TableUse& use : tables_) {
      if (!formed(use) || use.lookups.size() == use.ids.size()) continue;
      // Lookups without a gradient read these values too.
      findUnique(use, use.lookups);
      announce(use);
    }
    run.pool->parallelFor(std::ssize(tables_), [&](int64_t table, int) {
      TableUse& use = tables_[static_cast<size_t>(table)];
      if (wanted(use)) findUnique(use, use.ids);
    });
    for (const TableUse& use : tables_) {
      if (wanted(use) && (overlay || lags(use) || options_.mode == Mode::kTrain)) announce(use);
    }
  }

  void announceSlots() {
    for (const RunningAverage& average : averages_) {
      if (average.slot == kNoValue) continue;
      const auto slot = static_cast<uint32_t>(*viewOf(average.slot).i32());
      space_.touch(space_.regionOf(average.parameter), std::span(&slot, 1));
    }
  }

  // average = momentum * average + (1 - momentum) * value, once all values are known to be finite.
  void moveAverages() {
    for (const RunningAverage& average : averages_) {
      const TensorView& value = viewOf(average.value);
      for (int64_t i = 0; i < value.size(); ++i) {
        if (std::isfinite(value.f32()[i])) continue;
        throw Error(ErrorKind::kTraining, "a value that '" +
                                              space_.parameter(average.parameter).name +
                                              "' averages is not finite; expected a finite number");
      }
    }
    for (const RunningAverage& average : averages_) {
      const TensorView& value = viewOf(average.value);
      const int64_t slot = average.slot == kNoValue ? 0 : *viewOf(average.slot).i32();
      float* kept = space_.data(average.parameter) + slot * value.size();
      for (int64_t i = 0; i < value.size(); ++i) {
        kept[i] =
            static_cast<float>(average.momentum * static_cast<double>(kept[i]) +
                               (1.0 - average.momentum) * static_cast<double>(value.f32()[i]));
      }
    }
  }

  void requireFinite(float loss) const {
    if (std::isfinite(loss)) return;
    throw Error(ErrorKind::kTraining,
                "the loss is " + std::to_string(loss) + "; expected a finite number");
  }

  void bindRowGradients(TableUse& use) {
    use.rows.clear();
    for (const RowSource& source : use.gradients) {
      const TensorView& view = viewOf(source.value);
      use.rows.push_back({view.f32() + source.start, view.shape.back()});
    }
  }

  void applyOptimizer(const Run& run) {
    OptimizerState& optimizer = *run.optimizer;
    updates_.clear();
    for (const DenseUse& use : dense_) {
      if (use.gradient == kNoValue) continue;
      const UpdateScalars scalars = optimizer.beginStep(use.parameter);
      const int64_t first = space_.firstUnitOf(use.parameter) * kDenseBlock;
      const int64_t last = first + elementCount(space_.parameter(use.parameter).shape);
      for (int64_t begin = first; begin < last; begin += cpu::kChunkElements) {
        updates_.push_back({scalars, nullptr, begin, std::min(last, begin + cpu::kChunkElements)});
      }
    }
    for (TableUse& use : tables_) {
      if (use.gradients.empty()) continue;
      bindRowGradients(use);
      const UpdateScalars scalars = optimizer.beginStep(use.parameter);
      const int64_t perChunk = cpu::rowsPerChunk(space_.parameter(use.parameter).shape[1]);
      for (int64_t begin = 0; begin < use.unique.size(); begin += perChunk) {
        updates_.push_back({scalars, &use, begin, std::min(use.unique.size(), begin + perChunk)});
      }
    }
    run.pool->parallelFor(static_cast<int64_t>(updates_.size()), [&](int64_t i, int) {
      const Update& update = updates_[static_cast<size_t>(i)];
      Profile::Stopwatch watch(run.profile);
      if (update.table == nullptr) {
        optimizer.update(update.scalars, 0, update.begin / kDenseBlock, update.end - update.begin,
                         space_.region(0) + update.begin, gradientSlab() + update.begin);
        watch.lap(Profile::kUpdateDense);
      } else {
        updateRows(optimizer, update, watch);
      }
    });
    optimizer.endStep();
    if (run.profile != nullptr) run.profile->lapOfWork();
  }

  void updateRows(OptimizerState& optimizer, const Update& update, Profile::Stopwatch& watch) {
    const TableUse& use = *update.table;
    const int region = space_.regionOf(use.parameter);
    const int64_t dim = space_.parameter(use.parameter).shape[1];
    thread_local std::vector<float> sums;
    const int64_t block = std::max<int64_t>(1, kRowBlockFloats / dim);
    sums.resize(static_cast<size_t>(block * dim));
    for (int64_t begin = update.begin; begin < update.end; begin += block) {
      const int64_t end = std::min(update.end, begin + block);
      cpu::sumRows(use.unique, use.rows, dim, begin, end, sums.data(), dim);
      watch.lap(Profile::kRowGradients);
      const auto rows =
          use.unique.ids().subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
      optimizer.updateRows(update.scalars, region, rows, space_.region(region), sums.data());
      watch.lap(Profile::kUpdateRows);
    }
  }

  void collectGradients(const Run& run) {
    for (const DenseUse& use : dense_) {
      if (use.gradient == kNoValue) continue;
      const int64_t first = space_.firstUnitOf(use.parameter);
      run.gradients->addUnits(0, first, space_.unitCountOf(use.parameter),
                              gradientSlab() + first * kDenseBlock, run.gradientScale);
    }
    for (TableUse& use : tables_) {
      if (use.gradients.empty()) continue;
      bindRowGradients(use);
      const int64_t dim = space_.parameter(use.parameter).shape[1];
      std::vector<float> sum(static_cast<size_t>(dim));
      for (int64_t u = 0; u < use.unique.size(); ++u) {
        cpu::sumRows(use.unique, use.rows, dim, u, u + 1, sum.data(), dim);
        run.gradients->addUnits(space_.regionOf(use.parameter),
                                use.unique.ids()[static_cast<size_t>(u)], 1, sum.data(),
                                run.gradientScale);
      }
    }
  }

  // Names the steps by op and, where it has one, parameter: the one that it reads, or whose
  // gradient it makes.
  void labelSteps(Profile& profile) {
    if (profile_ == &profile) return;
    profile_ = &profile;
    for (Step& step : steps_) {
      std::string text = graph_[step.value].op->name;
      for (size_t i = 0; i < trained_.size(); ++i) {
        if (gradientsOf_[i] == step.value) text += ", gradient of " + graph_[trained_[i]].name;
      }
      for (const ValueId input : graph_[step.value].inputs) {
        if (graph_[input].kind == NodeKind::kParameter) text += ", " + graph_[input].name;
      }
      step.label = profile.label(text);
    }
  }

  ParameterSpace& space_;
  ProgramOptions options_;
  Graph graph_;
  ValueId output_ = kNoValue, loss_ = kNoValue;
  std::vector<ValueId> trained_, gradientsOf_;
  std::vector<Lookup> gradientIds_;  // of the table at hand, while building

  std::vector<ValueId> inputs_;
  std::vector<std::string> inputNames_;
  std::vector<Step> steps_;
  std::vector<DenseUse> dense_;
  std::vector<TableUse> tables_;
  std::vector<GradientCopy> copies_;
  std::vector<RunningAverage> averages_;

  std::vector<bool> placed_;
  std::vector<ValueId> kept_;
  std::vector<TensorView> values_;
  std::vector<ValueId> rowValues_;
  std::vector<TensorView> views_;  // of one step's inputs
  std::vector<Update> updates_;
  std::shared_ptr<Storage> scratch_;
  std::shared_ptr<Storage> gradients_;  // laid out like the dense slab
  int64_t capacity_ = 0;
  int64_t rows_ = 0;
  const Profile* profile_ = nullptr;  // that the steps are labelled for
};

Program::Program(const Graph& graph, ParameterSpace& space, ProgramOptions options)
    : impl_(std::make_unique<Impl>(graph, space, std::move(options))) {}
Program::~Program() = default;
void Program::beginPass() { impl_->beginPass(); }
void Program::run(const Run& run) { impl_->run(run); }
const std::vector<std::string>& Program::inputNames() const { return impl_->inputNames(); }
DType Program::inputType(size_t input) const { return impl_->inputType(input); }
int64_t Program::inputSize(size_t input, int64_t rows) const {
  return impl_->inputSize(input, rows);
}
void Program::checkIds(size_t input, const void* column, int64_t rows) const {
  impl_->checkIds(input, column, rows);
}
const float* Program::output() const { return impl_->output(); }
float Program::loss() const { return impl_->loss(); }
size_t Program::scratchBytes() const { return impl_->scratchBytes(); }
std::string Program::describe() const { return impl_->describe(); }

}  // namespace polydomain
