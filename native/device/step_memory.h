#pragma once

#include <bit>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "polydomain/device.h"

namespace polydomain {

// What a step sends to the device: many small arrays with few copies. They stay there until the
// step after the next one; by then the device has to have been waited for.
class StepMemory {
 public:
  explicit StepMemory(const Device& device) : device_(device) {}

  void begin() {
    now_ = 1 - now_;
    block_ = used_ = sent_ = 0;
  }

  // Where the device will have the values once they are sent.
  template <typename T>
  const T* add(std::span<const T> values) {
    if (values.empty()) return nullptr;
    const Room<T> room = reserve<T>(std::ssize(values));
    std::memcpy(room.host, values.data(), values.size_bytes());
    return room.device;
  }

  // Room for values (one at least), which the caller writes before the next call.
  template <typename T>
  struct Room {
    T* host;
    const T* device;
  };
  template <typename T>
  Room<T> reserve(int64_t count) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    if (blocks().empty() || used_ + bytes > blocks()[block_]->bytes) open(bytes);
    const Block& block = *blocks()[block_];
    const Room<T> room = {reinterpret_cast<T*>(block.host.data<char>() + used_),
                          reinterpret_cast<const T*>(block.device.data<char>() + used_)};
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return room;
  }

  void send() {
    if (sent_ >= used_) return;
    Block& block = *blocks()[block_];
    device_.call<&PolydomainCudaApi::copyIn>(block.device.data<char>() + sent_,
                                             block.host.data<char>() + sent_,
                                             std::min(used_, block.bytes) - sent_);
    sent_ = used_;
  }

 private:
  static constexpr size_t kAlignment = 256, kBlockBytes = size_t{1} << 20;
  struct Block {
    Block(const Device& device, size_t size) : bytes(size), host(device), device(device) {
      host.atLeast<char>(static_cast<int64_t>(size));
      this->device.atLeast<char>(static_cast<int64_t>(size));
    }
    size_t bytes;
    HostMemory host;
    DeviceMemory device;
  };

  std::vector<std::unique_ptr<Block>>& blocks() { return steps_[now_]; }

  // The next block with room for so many bytes.
  void open(size_t bytes) {
    if (!blocks().empty()) {
      send();
      if (used_ > 0) ++block_;
    }
    while (block_ < blocks().size() && blocks()[block_]->bytes < bytes) ++block_;
    if (block_ == blocks().size()) {
      blocks().push_back(
          std::make_unique<Block>(device_, std::bit_ceil(std::max(bytes, kBlockBytes))));
    }
    used_ = sent_ = 0;
  }

  const Device& device_;
  std::vector<std::unique_ptr<Block>> steps_[2];  // of steps in turns
  size_t now_ = 0, block_ = 0, used_ = 0, sent_ = 0;
};

}  // namespace polydomain
