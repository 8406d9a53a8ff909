#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <utility>
#include <vector>

#include "core/page_memory.h"

namespace polydomain {

// Values of units in the order in which they were added. They lie in blocks of about kPage, so that
// growing moves one block at most, and only a small one. Pointers hold until the next growth.
class UnitValues {
 public:
  explicit UnitValues(int64_t unitSize, std::pmr::memory_resource* memory = pageMemory())
      : unitSize_(unitSize),
        perBlock_(static_cast<uint32_t>(std::max<int64_t>(
            1, static_cast<int64_t>(kPage / sizeof(float)) / std::max<int64_t>(1, unitSize)))),
        memory_(memory) {}
  // A copy in other memory.
  UnitValues(const UnitValues& other, std::pmr::memory_resource* memory)
      : UnitValues(other.unitSize_, memory) {
    resize(other.size_);
    for (int64_t i = 0; i < size_; i += other.together(i)) {
      std::memcpy(at(i), other.at(i), bytesOf(other.together(i)));
    }
  }
  UnitValues(UnitValues&& other) noexcept
      : unitSize_(other.unitSize_), perBlock_(other.perBlock_), memory_(other.memory_) {
    swap(other);
  }
  // Memory moves with what is in it.
  UnitValues& operator=(UnitValues&& other) noexcept {
    UnitValues moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~UnitValues() {
    clear();
    if (capacity_ > 0) giveBack(blocks_[0], capacity_);
  }

  int64_t size() const { return size_; }
  int64_t unitSize() const { return unitSize_; }
  int64_t bytes() const { return static_cast<int64_t>(bytesOf(capacity_)); }
  float* at(int64_t i) { return const_cast<float*>(std::as_const(*this).at(i)); }
  const float* at(int64_t i) const {
    const auto index = static_cast<uint32_t>(i);
    return blocks_[index / perBlock_] + static_cast<int64_t>(index % perBlock_) * unitSize_;
  }
  // How many units, from i on, lie one behind the other.
  int64_t together(int64_t i) const { return std::min(size_ - i, room(i)); }
  // The same of those that are still to be added, too.
  int64_t room(int64_t i) const { return perBlock_ - static_cast<uint32_t>(i) % perBlock_; }

  // Values of new units are those of the memory.
  void resize(int64_t size) {
    reserve(size);
    size_ = size;
  }

  // Throws where there is no memory; units and values are then as they were.
  void reserve(int64_t size) {
    if (size <= capacity_) return;
    if (capacity_ < perBlock_) {
      growFirst(std::min<int64_t>(std::max(size, capacity_ + capacity_ / 2), perBlock_));
    }
    while (capacity_ < size) {
      blocks_.reserve(blocks_.size() + 1);
      blocks_.push_back(obtain(perBlock_));
      capacity_ += perBlock_;
    }
  }

  // Gives all blocks back but the first.
  void clear() {
    while (blocks_.size() > 1) {
      giveBack(blocks_.back(), perBlock_);
      blocks_.pop_back();
    }
    capacity_ = std::min<int64_t>(capacity_, perBlock_);
    size_ = 0;
  }

 private:
  void swap(UnitValues& other) {
    std::swap(unitSize_, other.unitSize_);
    std::swap(perBlock_, other.perBlock_);
    std::swap(memory_, other.memory_);
    std::swap(blocks_, other.blocks_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  size_t bytesOf(int64_t units) const {
    return static_cast<size_t>(units * unitSize_) * sizeof(float);
  }
  float* obtain(int64_t units) {
    return static_cast<float*>(memory_->allocate(bytesOf(units), kAlignment));
  }
  void giveBack(float* data, int64_t units) {
    memory_->deallocate(data, bytesOf(units), kAlignment);
  }

  void growFirst(int64_t units) {
    blocks_.reserve(1);
    float* grown = obtain(units);
    if (blocks_.empty()) {
      blocks_.push_back(grown);
    } else {
      if (size_ > 0) std::memcpy(grown, blocks_[0], bytesOf(size_));
      giveBack(blocks_[0], capacity_);
      blocks_[0] = grown;
    }
    capacity_ = units;
  }

  static constexpr size_t kAlignment = 64;

  int64_t unitSize_;
  uint32_t perBlock_;
  std::pmr::memory_resource* memory_;
  std::vector<float*> blocks_;  // the first one may be smaller
  int64_t size_ = 0, capacity_ = 0;
};

}  // namespace polydomain
