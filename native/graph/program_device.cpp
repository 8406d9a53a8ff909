// What a program does otherwise on a device than on the CPU.

#include "program_impl.h"

namespace polydomain {

void Program::Impl::bringRows() {
  for (TableUse& use : tables_) {
    const int region = space_.regionOf(use.parameter);
    const bool trained = !use.gradients.empty();
    // Rows that no gradient reaches are read as well. announceRows() has found those of `ids`.
    const bool all = trained && use.lookups.size() == use.ids.size();
    if (!all) findUnique(use, use.lookups);
    device_->space().bringRows(region, use.unique.ids(), trained);
    if (trained && !all) findUnique(use, use.ids);
    viewOf(use.value).data = device_->space().region(region);
    if (trained) use.onDevice = device_->rows(use.unique);
  }
  device_->send();
}

void Program::Impl::applyOnDevice(const Run& run) {
  OptimizerState& optimizer = *run.optimizer;
  const OptimizerSpec& spec = optimizer.spec();
  scalars_.clear();
  const auto add = [&](int parameter) {
    scalars_.push_back(device_->scalars(spec, optimizer.beginStep(parameter)));
  };
  for (const DenseUse& use : dense_) {
    if (use.gradient != kNoValue) add(use.parameter);
  }
  for (const TableUse& use : tables_) {
    if (!use.gradients.empty()) add(use.parameter);
  }
  device_->send();
  auto scalars = scalars_.begin();
  for (const DenseUse& use : dense_) {
    if (use.gradient == kNoValue) continue;
    const int64_t first = space_.firstUnitOf(use.parameter) * kDenseBlock;
    device_->updateDense(spec, *scalars++, first,
                         elementCount(space_.parameter(use.parameter).shape),
                         gradientSlab() + first);
  }
  lap(run.profile, Profile::kUpdateDense);
  for (TableUse& use : tables_) {
    if (use.gradients.empty()) continue;
    bindRowGradients(use);
    const int64_t dim = space_.parameter(use.parameter).shape[1];
    device_->updateRows(spec, *scalars++, space_.regionOf(use.parameter), use.onDevice, dim,
                        device_->sumRows(use.onDevice, use.rows, dim));
  }
  optimizer.endStep();
  lap(run.profile, Profile::kUpdateRows);
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
