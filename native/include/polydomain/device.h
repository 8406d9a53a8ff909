#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>

#include "polydomain/cuda.h"

namespace polydomain {

// The first CUDA device, as the core works with it: the plugin's functions on one stream.
class Device {
 public:
  // Throws Error(kDevice) that says which of driver, plugin and device is missing, and why.
  static std::shared_ptr<Device> open(const std::string& plugin = cudaPluginPath(),
                                      const char* driver = kCudaDriver);
  explicit Device(const PolydomainCudaApi& api);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Calls a function of the interface, &PolydomainCudaApi::gatherRows say, on the stream. Throws
  // Error(kDevice) with the plugin's message.
  template <auto function, typename... Arguments>
  void call(Arguments... arguments) const {
    requireCuda(api_, (api_.*function)(stream_, arguments...));
  }

  // What `work` queues, which is not run but kept; an error of it is thrown on.
  template <typename Work>
  PolydomainCudaGraph* record(const Work& work) const {
    call<&PolydomainCudaApi::beginRecording>();
    PolydomainCudaGraph* graph = nullptr;
    try {
      work();
    } catch (...) {
      if (api_.endRecording(stream_, &graph) == 0) forget(graph);
      throw;
    }
    call<&PolydomainCudaApi::endRecording>(&graph);
    return graph;
  }
  void replay(PolydomainCudaGraph* graph) const { call<&PolydomainCudaApi::replay>(graph); }
  // Nothing of it may be under way. Null is allowed.
  void forget(PolydomainCudaGraph* graph) const {
    if (graph != nullptr) api_.destroyGraph(graph);
  }

 private:
  const PolydomainCudaApi& api_;
  PolydomainCudaStream* stream_ = nullptr;
};

// Memory of the device, or of the host where copies from and to it go fastest.
template <auto allocate, auto release>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(const Device& device) : device_(&device) {}
  ~DeviceBuffer() { free(); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  // Room for so many values, and more when it grows, which loses what it held.
  template <typename T>
  T* atLeast(int64_t count) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    if (bytes > bytes_) {
      const size_t room = std::max(bytes, 2 * bytes_);
      free();
      device_->call<allocate>(room, &memory_);
      bytes_ = room;
    }
    return static_cast<T*>(memory_);
  }
  template <typename T>
  T* data() const {
    return static_cast<T*>(memory_);
  }

 private:
  void free() {
    if (memory_ == nullptr) return;
    try {
      device_->call<release>(memory_);
    } catch (const std::exception&) {
      // The device has failed: what failed there first was told.
    }
    memory_ = nullptr;
    bytes_ = 0;
  }

  const Device* device_;
  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

using DeviceMemory = DeviceBuffer<&PolydomainCudaApi::allocate, &PolydomainCudaApi::release>;
using HostMemory = DeviceBuffer<&PolydomainCudaApi::allocateHost, &PolydomainCudaApi::releaseHost>;

}  // namespace polydomain
