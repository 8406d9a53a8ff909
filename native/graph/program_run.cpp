// A program's steps on the rows of one batch.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "effective_lookup.h"
#include "polydomain/error.h"
#include "program_impl.h"

namespace polydomain {

void Program::Impl::beginPass() {
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

void Program::Impl::run(const Run& run) {
  if (run.rows == 0) throw Error(ErrorKind::kData, "a program runs one row at least, not 0");
  if (run.profile != nullptr) labelSteps(*run.profile);
  bind(run);
  if (differentiates()) {
    announceRows(run);
    announceSlots();
  }
  lap(run.profile, Profile::kFindRows);
  if (device_) {
    bringRows();
    lap(run.profile, Profile::kBringRows);
    queueSteps(run);
  } else {
    runSteps(run);
  }
  if (loss_ != kNoValue) {
    if (device_) {
      readLoss();
      lap(run.profile, Profile::kAwaitDevice);
    }
    requireFinite(loss());
  }
  moveAverages();
  for (const GradientCopy& copy : copies_) copyGradient(viewOf(copy.from), copy.offset);
  if (options_.mode == Mode::kTrain) applyOptimizer(run);
  if (options_.mode == Mode::kGradient) {
    collectGradients(run);
    lap(run.profile, Profile::kCollectGradients);
  }
}

void Program::Impl::runSteps(const Run& run) {
  const RunContext context{*run.pool, run.seed, run.step};
  for (const Step& step : steps_) {
    const Node& node = graph_[step.value];
    const std::span<const TensorView> inputs = inputsOf(step);
    if (run.overlay >= 0 && !step.regions.empty()) {
      lookupEffective(space_, run.overlay, *run.pool, node, step.regions, inputs,
                      viewOf(step.value));
    } else {
      step.kernel(context, node.attributes, inputs, viewOf(step.value));
    }
    lap(run.profile, step.label);
  }
}

std::span<const TensorView> Program::Impl::inputsOf(const Step& step) {
  views_.clear();
  for (const ValueId input : graph_[step.value].inputs) views_.push_back(viewOf(input));
  return views_;
}

void Program::Impl::bind(const Run& run) {
  if (run.rows > capacity_) {
    const MemoryPlan plan = planMemory(graph_, placed_, kept_, run.rows);
    float* scratch = nullptr;
    if (device_) {
      scratch = device_->scratch(plan.floats);
    } else {
      scratch_ = Storage::allocate(static_cast<size_t>(plan.floats) * sizeof(float));
      scratch = static_cast<float*>(scratch_->data());
    }
    for (ValueId v = 0; v < graph_.size(); ++v) {
      const int64_t offset = plan.offsets[static_cast<size_t>(v)];
      if (offset == MemoryPlan::kElsewhere) continue;
      viewOf(v).data = scratch + offset;
    }
    capacity_ = run.rows;
  }
  if (run.rows != rows_) {
    for (const ValueId v : rowValues_) viewOf(v).shape[0] = run.rows;
    rows_ = run.rows;
  }
  if (device_) device_->begin(run.seed, run.step);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const void* column = run.inputs[i].data;
    TensorView& view = viewOf(inputs_[i]);
    columns_[static_cast<size_t>(inputs_[i])] = column;
    if (device_) column = device_->column(column, view.type, view.size());
    view.data = const_cast<void*>(column);
  }
  const float* slab = device_                ? device_->space().region(0)
                      : run.dense != nullptr ? run.dense
                                             : space_.region(0);
  for (const DenseUse& use : dense_) {
    viewOf(use.value).data =
        const_cast<float*>(slab) + space_.firstUnitOf(use.parameter) * kDenseBlock;
  }
}

void Program::Impl::announceRows(const Run& run) {
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

void Program::Impl::findUnique(TableUse& use, const std::vector<Lookup>& lookups) {
  use.lists.clear();
  for (const auto& [ids, width] : lookups) {
    const auto size = static_cast<size_t>(viewOf(ids).size());
    use.lists.push_back({{columnOf(ids), size}, std::max<int64_t>(1, width)});
  }
  use.unique.build(space_.unitCount(space_.regionOf(use.parameter)), use.lists);
}

void Program::Impl::copyGradient(const TensorView& from, int64_t offset) {
  float* to = gradientSlab() + offset;
  if (device_) {
    device_->copy(from.f32(), from.size(), to);
  } else {
    std::memcpy(to, from.f32(), static_cast<size_t>(from.size()) * sizeof(float));
  }
}

void Program::Impl::requireFinite(float loss) const {
  if (std::isfinite(loss)) return;
  throw Error(ErrorKind::kTraining,
              "the loss is " + toText(static_cast<double>(loss)) + "; expected a finite number");
}

void Program::Impl::labelSteps(Profile& profile) {
  if (labelledFor_ == profile.id()) return;
  labelledFor_ = profile.id();
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

}  // namespace polydomain
