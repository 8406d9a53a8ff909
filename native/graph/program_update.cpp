// What becomes of a batch's gradients: steps of the optimizer, or a part of a gradient buffer.

#include <algorithm>

#include "cpu/chunks.h"
#include "program_impl.h"

namespace polydomain {

namespace {

// Rows of gradient that are summed before the optimizer gets them: one first-level cache of them.
constexpr int64_t kRowBlockFloats = 4096;

}  // namespace

void Program::Impl::applyOptimizer(const Run& run) {
  if (device_) return applyOnDevice(run);
  OptimizerState& optimizer = *run.optimizer;
  updates_.clear();
  for (const DenseUse& use : dense_) {
    if (use.gradient == kNoValue) continue;
    const UpdateScalars scalars = optimizer.beginStep(use.parameter);
    const auto [first, last] = floatsOf(use);
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

void Program::Impl::updateRows(OptimizerState& optimizer, const Update& update,
                               Profile::Stopwatch& watch) {
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

void Program::Impl::collectGradients(const Run& run) {
  const float* dense = device_ ? readDenseGradients() : gradientSlab();
  for (const DenseUse& use : dense_) {
    if (use.gradient == kNoValue) continue;
    const int64_t first = space_.firstUnitOf(use.parameter);
    run.gradients->addUnits(0, first, space_.unitCountOf(use.parameter),
                            dense + first * kDenseBlock, run.gradientScale);
  }
  for (TableUse& use : tables_) {
    if (use.gradients.empty()) continue;
    bindRowGradients(use);
    const int64_t dim = space_.parameter(use.parameter).shape[1];
    const float* read = device_ ? readRowGradients(use) : nullptr;
    std::vector<float> sum(static_cast<size_t>(dim));
    for (int64_t u = 0; u < use.unique.size(); ++u) {
      if (!device_) cpu::sumRows(use.unique, use.rows, dim, u, u + 1, sum.data(), dim);
      run.gradients->addUnits(space_.regionOf(use.parameter),
                              use.unique.ids()[static_cast<size_t>(u)], 1,
                              device_ ? read + u * dim : sum.data(), run.gradientScale);
    }
  }
}

void Program::Impl::bindRowGradients(TableUse& use) {
  use.rows.clear();
  for (const RowSource& source : use.gradients) {
    const TensorView& view = viewOf(source.value);
    use.rows.push_back({view.f32() + source.start, view.shape.back()});
  }
}

}  // namespace polydomain
