#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <new>
#include <utility>
#include <vector>

namespace polydomain {

// Leaves new elements as the memory is.
template <typename T>
struct UninitializedAllocator : std::pmr::polymorphic_allocator<T> {
  using std::pmr::polymorphic_allocator<T>::polymorphic_allocator;
  using std::pmr::polymorphic_allocator<T>::construct;
  template <typename U>
  void construct(U* place) noexcept {
    ::new (static_cast<void*>(place)) U;
  }
};

// A map from unit (a table's row, a block of the dense slab) to its values: open addressing over
// entries that lie in the order of their insertion. The container of journals, overlays and
// gradient buffers. Pointers to values hold until the next insertion. Memory that cannot be had
// throws and leaves it as it was.
class UnitStore {
 public:
  static constexpr int64_t kNone = -1;

  explicit UnitStore(int64_t unitSize,
                     std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : unitSize_(unitSize), slots_(memory), units_(memory), values_(memory) {}
  // A copy in other memory.
  UnitStore(const UnitStore& other, std::pmr::memory_resource* memory)
      : unitSize_(other.unitSize_),
        slots_(other.slots_, memory),
        units_(other.units_, memory),
        values_(other.values_, memory) {}

  int64_t size() const { return static_cast<int64_t>(units_.size()); }
  bool empty() const { return units_.empty(); }
  uint32_t unit(int64_t entry) const { return units_[static_cast<size_t>(entry)]; }
  float* values(int64_t entry) { return values_.data() + entry * unitSize_; }
  const float* values(int64_t entry) const { return values_.data() + entry * unitSize_; }
  int64_t unitSize() const { return unitSize_; }
  int64_t bytes() const {
    return static_cast<int64_t>(values_.capacity() * sizeof(float) +
                                (units_.capacity() + slots_.capacity()) * sizeof(uint32_t));
  }

  int64_t find(uint32_t unit) const {
    if (slots_.empty()) return kNone;
    const uint32_t entry = slots_[slotOf(unit)];
    return entry == 0 ? kNone : static_cast<int64_t>(entry) - 1;
  }

  // The unit's entry, and whether it is new; values of a new one are zeros.
  std::pair<int64_t, bool> insert(uint32_t unit) {
    const auto [entry, isNew] = place(unit);
    if (isNew) std::fill_n(values(entry), unitSize_, 0.0f);
    return {entry, isNew};
  }

  // The same, but values of a new one are still to be written.
  std::pair<int64_t, bool> place(uint32_t unit) {
    if ((units_.size() + 1) * 2 > slots_.size()) grow();
    uint32_t& slot = slots_[slotOf(unit)];
    if (slot != 0) return {static_cast<int64_t>(slot) - 1, false};
    values_.resize((units_.size() + 1) * static_cast<size_t>(unitSize_));
    units_.push_back(unit);
    slot = static_cast<uint32_t>(units_.size());
    return {size() - 1, true};
  }

  // Makes room for `more` units: no larger than needed, unless it has to grow often.
  void reserve(int64_t more) {
    const size_t needed = units_.size() + static_cast<size_t>(more);
    if (needed <= units_.capacity()) return;
    const size_t room = std::max(needed, units_.capacity() + units_.capacity() / 4);
    values_.reserve(room * static_cast<size_t>(unitSize_));
    units_.reserve(room);
    size_t slots = 8;
    while (slots < 2 * needed) slots *= 2;
    if (slots > slots_.size()) rebuild(slots);
  }

  // Removes a unit; the last entry takes its place.
  void erase(uint32_t unit) {
    const int64_t entry = find(unit);
    if (entry == kNone) return;
    const size_t slot = slotOf(unit);
    const int64_t last = size() - 1;
    if (entry != last) {
      slots_[slotOf(units_.back())] = static_cast<uint32_t>(entry + 1);
      units_[static_cast<size_t>(entry)] = units_.back();
      std::memcpy(values(entry), values(last), static_cast<size_t>(unitSize_) * sizeof(float));
    }
    freeSlot(slot);
    units_.pop_back();
    values_.resize(units_.size() * static_cast<size_t>(unitSize_));
  }

  void clear() {
    // The slots serve the next units, unless they are many more than those that were there.
    if (slots_.size() > 8 * units_.size()) {
      slots_.clear();
    } else {
      std::ranges::fill(slots_, 0);
    }
    units_.clear();
    values_.clear();
  }

 private:
  size_t homeOf(uint32_t unit) const { return (unit * 0x9E3779B1u) & (slots_.size() - 1); }

  // The slot that holds the unit, or the free one where it belongs.
  size_t slotOf(uint32_t unit) const {
    const size_t mask = slots_.size() - 1;
    size_t slot = homeOf(unit);
    while (slots_[slot] != 0 && units_[slots_[slot] - 1] != unit) slot = (slot + 1) & mask;
    return slot;
  }

  // Moves what follows back to where probing from its home still finds it (Knuth 6.4, algorithm R).
  void freeSlot(size_t hole) {
    const size_t mask = slots_.size() - 1;
    for (size_t slot = (hole + 1) & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
      const size_t home = homeOf(units_[slots_[slot] - 1]);
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      slots_[hole] = slots_[slot];
      hole = slot;
    }
    slots_[hole] = 0;
  }

  void grow() { rebuild(slots_.empty() ? 8 : 2 * slots_.size()); }

  void rebuild(size_t slots) {
    slots_.assign(slots, 0);
    for (size_t entry = 0; entry < units_.size(); ++entry) {
      slots_[slotOf(units_[entry])] = static_cast<uint32_t>(entry + 1);
    }
  }

  int64_t unitSize_;
  std::pmr::vector<uint32_t> slots_;  // entry + 1; 0: free. A power of two of them
  std::pmr::vector<uint32_t> units_;
  std::vector<float, UninitializedAllocator<float>> values_;
};

}  // namespace polydomain
