#pragma once

#include <memory>
#include <span>
#include <vector>

#include "polydomain/device.h"
#include "polydomain/space.h"
#include "step_memory.h"

namespace polydomain {

// What a pass reads and writes of a space, in a device's memory. Between passes the space has all
// values, so that marks, overlays, interpolations and checkpoints are the same on any device;
// within one the device has those of the units that steps have asked for, and gives back at its end
// what they have changed. What a pass costs is what it touches.
//
// Tables lie on the device in full length, so that a row's id is its place; memory of one is taken
// when the first of its rows is brought.
class DeviceSpace {
 public:
  DeviceSpace(std::shared_ptr<Device> device, ParameterSpace& space,
              std::shared_ptr<ThreadPool> pool);
  ~DeviceSpace();

  const Device& device() const { return *device_; }

  // A pass whose steps read the effective values of `overlay` (-1: those that are in place) and
  // change them by `optimizer` (null: they change nothing). Dense values are there from here on.
  void beginPass(OverlayId overlay, OptimizerState* optimizer);
  // Before a step reads rows (unique) of a table; `trained`: and changes them. What the device does
  // not have yet goes into `memory`; once that is sent, placeRows() puts it into the tables.
  void bringRows(int region, std::span<const int32_t> rows, bool trained, StepMemory& memory);
  void placeRows();
  // The space was written: what was brought is brought anew.
  void refresh();
  // The space gets what steps have changed, and the optimizer its state.
  void endPass();

  // Laid out as in the space; null for a table of which no row was brought.
  float* region(int region) const;
  // Null where the optimizer has no such state.
  float* state(int region, int index) const;

 private:
  // A region on the device.
  struct Mirror {
    explicit Mirror(const Device& device)
        : values(device), states{DeviceMemory(device), DeviceMemory(device)} {}
    DeviceMemory values;
    DeviceMemory states[2];
    std::vector<uint64_t> held;  // a bit for each row that was brought
    std::vector<int32_t> rows;   // these rows
    size_t placed = 0;           // of these are in the tables
    bool trained = false;
  };
  // Rows on their way into a table, in the device's memory: ids, and their values slab by slab.
  struct Arrival {
    int region;
    PolydomainCudaRows rows;
    const float* values;
  };

  int stateCount() const;
  int64_t sizeOf(int region) const { return space_.unitCount(region) * space_.unitSize(region); }
  // Slabs of a region that a pass has on the device: its values, then the states.
  int slabsOf(const Mirror& mirror) const { return 1 + (mirror.trained ? stateCount() : 0); }
  float* onDevice(int region, int slab) const;
  float* onHost(int region, int slab) const;

  void bringDense();
  void forget();
  // The values of rows, slab by slab.
  void gather(int region, std::span<const int32_t> rows, float* to);
  // In pieces that fit the memory between host and device.
  void toHost(int region, std::span<const int32_t> rows);

  std::shared_ptr<Device> device_;
  ParameterSpace& space_;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<std::unique_ptr<Mirror>> mirrors_;  // by region
  OverlayId overlay_ = -1;
  OptimizerState* optimizer_ = nullptr;

  // Kept between calls, so that they allocate nothing.
  HostMemory staged_;
  DeviceMemory received_, ids_;
  std::vector<Arrival> arrivals_;
  std::vector<float> dense_;
};

}  // namespace polydomain
