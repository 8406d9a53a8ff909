// What a program does otherwise on a device than on the CPU.

#include "program_impl.h"

namespace polydomain {

void Program::Impl::bringRows() {
  for (const ValueId ids : grouped_) device_->group(viewOf(ids));
  for (TableUse& use : tables_) {
    const int region = space_.regionOf(use.parameter);
    const bool trained = !use.gradients.empty();
    // Rows that no gradient reaches are read as well. announceRows() has found those of `ids`.
    const bool all = trained && use.lookups.size() == use.ids.size();
    if (!all) findUnique(use, use.lookups);
    device_->bringRows(region, use.unique.ids(), trained);
    if (trained && !all) findUnique(use, use.ids);
    viewOf(use.value).data = device_->space().region(region);
    if (trained) use.onDevice = device_->rows(use.unique);
  }
  device_->send();
}

void Program::Impl::queueSteps(const Run& run) {
  const auto queue = [&] {
    for (const Step& step : steps_) {
      device_->run(step.onDevice, graph_[step.value], inputsOf(step), viewOf(step.value));
      lap(run.profile, step.label);
    }
  };
  // A profile has the time of each op.
  if (run.profile != nullptr) return queue();
  device_->replay(run.rows, values_, queue);
}

void Program::Impl::applyOnDevice(const Run& run) {
  OptimizerState& optimizer = *run.optimizer;
  const OptimizerSpec& spec = optimizer.spec();
  // Parameters that lie side by side and take the same step are one update. What pads them is zero,
  // and stays so: 0 / epsilon.
  const int64_t padding = spec.epsilon > 0.0f ? kDenseBlock : 1;
  updates_.clear();
  for (const DenseUse& use : dense_) {
    if (use.gradient == kNoValue) continue;
    const UpdateScalars scalars = optimizer.beginStep(use.parameter);
    const auto [first, last] = floatsOf(use);
    const int64_t gap = updates_.empty() ? -1 : first - updates_.back().end;
    if (gap >= 0 && gap < padding && updates_.back().scalars == scalars) {
      updates_.back().end = last;
    } else {
      updates_.push_back({scalars, nullptr, first, last});
    }
  }
  for (TableUse& use : tables_) {
    if (use.gradients.empty()) continue;
    bindRowGradients(use);
    updates_.push_back({optimizer.beginStep(use.parameter), &use, 0, use.unique.size()});
  }
  scalars_.clear();
  for (const Update& update : updates_) scalars_.push_back(device_->scalars(spec, update.scalars));
  device_->send();
  for (size_t i = 0; i < updates_.size(); ++i) {
    const auto& [_, table, begin, end] = updates_[i];
    if (table == nullptr) {
      device_->updateDense(spec, scalars_[i], begin, end - begin, gradientSlab() + begin);
      lap(run.profile, Profile::kUpdateDense);
    } else {
      const int64_t dim = space_.parameter(table->parameter).shape[1];
      device_->updateRows(spec, scalars_[i], space_.regionOf(table->parameter), table->onDevice,
                          dim, device_->sumRows(table->onDevice, table->rows, dim));
      lap(run.profile, Profile::kUpdateRows);
    }
  }
  optimizer.endStep();
}

const float* Program::Impl::readOutput() {
  const TensorView& output = viewOf(output_);
  outputRead_.resize(static_cast<size_t>(output.size()));
  device_->read(output.f32(), output.size(), outputRead_.data());
  return outputRead_.data();
}

const float* Program::Impl::readDenseGradients() {
  const int64_t floats = space_.unitCount(0) * kDenseBlock;
  gradientsRead_.resize(static_cast<size_t>(floats));
  device_->read(gradientSlab(), floats, gradientsRead_.data());
  return gradientsRead_.data();
}

const float* Program::Impl::readRowGradients(const TableUse& use) {
  const int64_t dim = space_.parameter(use.parameter).shape[1];
  gradientsRead_.resize(static_cast<size_t>(use.unique.size() * dim));
  device_->read(device_->sumRows(use.onDevice, use.rows, dim), std::ssize(gradientsRead_),
                gradientsRead_.data());
  return gradientsRead_.data();
}

}  // namespace polydomain
