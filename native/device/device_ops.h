#pragma once

#include <array>
#include <map>
#include <span>
#include <string>

#include "cpu/embedding.h"
#include "polydomain/graph.h"
#include "step_memory.h"

namespace polydomain {

// The rows of a batch by an id that many of them share (native/cpu/row_groups.h), on the device:
// group g has the rows of the id that is the g-th to appear.
struct DeviceGroups {
  int64_t count = 0;
  const int32_t* ofRow = nullptr;  // the group of each row; null where there is but one
  // For each row its group where it is the group's first, else `count`.
  const int32_t* ofFirstRow = nullptr;
  const PolydomainCudaPosition* rows = nullptr;  // group by group, list 0
  const int32_t* offsets = nullptr;              // count + 1 borders in `rows`
  const PolydomainCudaPosition* firstRows = nullptr;
  const int32_t* each = nullptr;  // 0, 1 .. count: borders of firstRows
};

// What changes from run to run of one program on a device.
class DeviceContext {
 public:
  DeviceContext(const Device& device, StepMemory& memory)
      : device(device), memory(memory), values_(device), products_(device) {}

  const Device& device;
  StepMemory& memory;
  uint64_t seed = 0;               // of dropout
  const uint64_t* step = nullptr;  // of dropout; on the device

  // Begins a run; `memory` has begun its step.
  void begin(uint64_t seed, uint64_t step);
  // Sends a column of the batch, of which ops may ask for groups.
  const void* send(const void* column, size_t bytes, bool ids);
  // Sends the groups of such a column.
  const DeviceGroups& group(const TensorView& ids);
  const DeviceGroups& groupsOf(const TensorView& ids) const { return columns_.at(ids.data).groups; }

  // Memory of a kernel for values that only it reads.
  float* values(int64_t count) { return values_.atLeast<float>(count); }
  float* products(int64_t count) { return products_.atLeast<float>(count); }
  // Where it is now.
  std::array<const float*, 2> ownMemory() const {
    return {values_.data<float>(), products_.data<float>()};
  }

 private:
  struct Column {
    const void* host = nullptr;
    DeviceGroups groups;
  };
  std::map<const void*, Column> columns_;  // by their place on the device
  cpu::UniqueIds unique_;
  DeviceMemory values_, products_;
};

// Queues what a node computes; as Kernel, with memory of the device.
using DeviceKernel = void (*)(DeviceContext& context, const Attributes& attributes,
                              std::span<const TensorView> inputs, const TensorView& output);

// Whether its kernel asks for the groups of its last input.
bool readsGroups(const std::string& op);

// Throws Error(kDevice) that names the op where it has none.
DeviceKernel findDeviceKernel(const std::string& op);

}  // namespace polydomain
