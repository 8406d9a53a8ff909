#include "device_program.h"

namespace polydomain {

namespace {

using Api = PolydomainCudaApi;

static_assert(sizeof(cpu::UniqueIds::Position) == sizeof(PolydomainCudaPosition));

int32_t kindOf(const OptimizerSpec& spec) {
  switch (spec.kind) {
    case OptimizerKind::kSgd:
      return POLYDOMAIN_CUDA_SGD;
    case OptimizerKind::kAdagrad:
      return POLYDOMAIN_CUDA_ADAGRAD;
    case OptimizerKind::kAdam:
      return POLYDOMAIN_CUDA_ADAM;
    case OptimizerKind::kAdamW:
      break;
  }
  return POLYDOMAIN_CUDA_ADAMW;
}

}  // namespace

DeviceProgram::DeviceProgram(DeviceSpace& space)
    : space_(space),
      device_(space.device()),
      memory_(device_),
      context_(device_, memory_),
      scratch_(device_),
      gradients_(device_),
      sums_(device_),
      recordings_(device_) {}

void DeviceProgram::requireKernels(const Graph& graph) {
  for (ValueId v = 0; v < graph.size(); ++v) {
    const OpDefinition* op = graph[v].op;
    if (op != nullptr && op->cpu != nullptr) findDeviceKernel(op->name);
  }
}

float* DeviceProgram::gradients(int64_t floats) {
  auto* memory = gradients_.atLeast<float>(floats);
  device_.call<&Api::zero>(memory, static_cast<size_t>(floats) * sizeof(float));
  return memory;
}

void DeviceProgram::begin(uint64_t seed, uint64_t step) {
  memory_.begin();
  context_.begin(seed, step);
  key_.assign(1, static_cast<uintptr_t>(seed));
  addToKey(context_.step);
}

void DeviceProgram::group(const TensorView& ids) {
  const DeviceGroups& groups = context_.group(ids);
  key_.push_back(static_cast<uintptr_t>(groups.count));
  addToKey(groups.ofRow);
  addToKey(groups.ofFirstRow);
  addToKey(groups.rows);
  addToKey(groups.offsets);
  addToKey(groups.firstRows);
  addToKey(groups.each);
}

void DeviceProgram::send() {
  memory_.send();
  space_.placeRows();
}

const void* DeviceProgram::column(const void* host, DType type, int64_t count) {
  return context_.send(host, static_cast<size_t>(count) * sizeOf(type), type == DType::kInt32);
}

DeviceProgram::Rows DeviceProgram::rows(const cpu::UniqueIds& unique) {
  const auto* positions =
      reinterpret_cast<const PolydomainCudaPosition*>(unique.positions().data());
  return {memory_.add(unique.ids()), memory_.add(std::span(positions, unique.positions().size())),
          memory_.add(unique.offsets()), unique.size()};
}

void DeviceProgram::copy(const float* from, int64_t count, float* to) {
  device_.call<&Api::copyWithin>(to, from, static_cast<size_t>(count) * sizeof(float));
}

void DeviceProgram::read(const float* from, int64_t count, float* host) {
  device_.call<&Api::copyOut>(host, from, static_cast<size_t>(count) * sizeof(float));
}

const float* DeviceProgram::sumRows(const Rows& rows, std::span<const cpu::RowGradient> gradients,
                                    int64_t dim) {
  std::vector<PolydomainCudaList> lists;
  for (const auto& [data, stride] : gradients) lists.push_back({data, stride});
  auto* sums = sums_.atLeast<float>(rows.count * dim);
  device_.call<&Api::sumRows>(lists.data(), static_cast<int32_t>(lists.size()), rows.positions,
                              rows.offsets, rows.count, dim, sums);
  return sums;
}

const PolydomainCudaScalars* DeviceProgram::scalars(const OptimizerSpec& spec,
                                                    const UpdateScalars& scalars) {
  const PolydomainCudaScalars own = {
      scalars.learningRate,    scalars.weightDecay,     scalars.l2,
      scalars.momentum,        scalars.beta1,           scalars.beta2,
      scalars.epsilon,         scalars.stepSize,        scalars.biasCorrection2Sqrt,
      spec.initialAccumulator, scalars.nesterov ? 1 : 0};
  return memory_.add(std::span(&own, 1));
}

void DeviceProgram::updateDense(const OptimizerSpec& spec, const PolydomainCudaScalars* scalars,
                                int64_t first, int64_t count, const float* gradient) {
  const auto from = [&](float* slab) { return slab == nullptr ? nullptr : slab + first; };
  device_.call<&Api::updateWeights>(kindOf(spec), scalars, count, from(space_.region(0)), gradient,
                                    from(space_.state(0, 0)), from(space_.state(0, 1)));
}

void DeviceProgram::updateRows(const OptimizerSpec& spec, const PolydomainCudaScalars* scalars,
                               int region, const Rows& rows, int64_t dim, const float* gradient) {
  device_.call<&Api::updateRows>(
      kindOf(spec), scalars, PolydomainCudaRows{rows.ids, rows.count, dim}, space_.region(region),
      gradient, space_.state(region, 0), space_.state(region, 1));
}

}  // namespace polydomain
