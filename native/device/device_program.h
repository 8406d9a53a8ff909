#pragma once

#include <vector>

#include "device_ops.h"
#include "device_space.h"
#include "polydomain/optimizer.h"
#include "recordings.h"

namespace polydomain {

// What a program has on a device: its memory there, the step that it sends, its updates.
class DeviceProgram {
 public:
  explicit DeviceProgram(DeviceSpace& space);

  // Throws Error(kDevice) that names the first op without a kernel.
  static void requireKernels(const Graph& graph);

  // Memory of the run's values, and of dense gradients, which is zero at first.
  float* scratch(int64_t floats) { return scratch_.atLeast<float>(floats); }
  float* gradients(int64_t floats);

  void begin(uint64_t seed, uint64_t step);
  // Sends a column of the batch.
  const void* column(const void* host, DType type, int64_t count);
  // Sends where the rows of equal ids stand, for sumRows().
  struct Rows {
    const int32_t* ids = nullptr;
    const PolydomainCudaPosition* positions = nullptr;
    const int32_t* offsets = nullptr;
    int64_t count = 0;
  };
  Rows rows(const cpu::UniqueIds& unique);
  // Sends the groups of a column, which kernels read.
  void group(const TensorView& ids);
  void bringRows(int region, std::span<const int32_t> rows, bool trained) {
    space_.bringRows(region, rows, trained, memory_);
  }
  // Ends what is sent before the kernels.
  void send();
  DeviceSpace& space() { return space_; }

  void run(DeviceKernel kernel, const Node& node, std::span<const TensorView> inputs,
           const TensorView& output) {
    kernel(context_, node.attributes, inputs, output);
  }
  // Queues the kernels that `queue` runs, of values that lie where `views` say, or replays them.
  template <typename Queue>
  void replay(int64_t rows, std::span<const TensorView> views, const Queue& queue) {
    key_.push_back(static_cast<uintptr_t>(rows));
    for (const TensorView& view : views) addToKey(view.data);
    for (const float* memory : context_.ownMemory()) addToKey(memory);
    recordings_.run(key_, queue);
  }

  void copy(const float* from, int64_t count, float* to);
  // Waits for what is queued.
  void read(const float* from, int64_t count, float* host);

  // The sums of the rows of equal ids, until the next call.
  const float* sumRows(const Rows& rows, std::span<const cpu::RowGradient> gradients, int64_t dim);

  // Sends the numbers of an update; they are there after the next send().
  const PolydomainCudaScalars* scalars(const OptimizerSpec& spec, const UpdateScalars& scalars);
  void updateDense(const OptimizerSpec& spec, const PolydomainCudaScalars* scalars, int64_t first,
                   int64_t count, const float* gradient);
  void updateRows(const OptimizerSpec& spec, const PolydomainCudaScalars* scalars, int region,
                  const Rows& rows, int64_t dim, const float* gradient);

 private:
  void addToKey(const void* place) { key_.push_back(reinterpret_cast<uintptr_t>(place)); }

  DeviceSpace& space_;
  const Device& device_;
  StepMemory memory_;
  DeviceContext context_;
  DeviceMemory scratch_, gradients_, sums_;
  std::vector<uintptr_t> key_;  // what the kernels of the step depend on
  Recordings recordings_;
};

}  // namespace polydomain
