#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>
#include <vector>

namespace polydomain {

// A map from unit (a table's row, a block of the dense slab) to its entry: open addressing over
// entries that lie in the order of their insertion. Memory that cannot be had throws and leaves it
// as it was.
class UnitIndex {
 public:
  static constexpr int64_t kNone = -1;

  explicit UnitIndex(std::pmr::memory_resource* memory) : slots_(memory), units_(memory) {}
  // A copy in other memory.
  UnitIndex(const UnitIndex& other, std::pmr::memory_resource* memory)
      : slots_(other.slots_, memory), units_(other.units_, memory) {}

  int64_t size() const { return static_cast<int64_t>(units_.size()); }
  bool empty() const { return units_.empty(); }
  uint32_t unit(int64_t entry) const { return units_[static_cast<size_t>(entry)]; }
  int64_t bytes() const {
    return static_cast<int64_t>((units_.capacity() + slots_.capacity()) * sizeof(uint32_t));
  }

  int64_t find(uint32_t unit) const {
    if (slots_.empty()) return kNone;
    return static_cast<int64_t>(slots_[slotOf(unit, homeOf(unit))]) - 1;
  }

  // Calls each(i, entry) for the units unitAt(i), i in [0, count). The slots of several are asked
  // for at once, as one after the other would wait for memory each time.
  template <typename UnitAt, typename Each>
  void findAll(int64_t count, const UnitAt& unitAt, const Each& each) const {
    if (slots_.empty()) {
      for (int64_t i = 0; i < count; ++i) each(i, kNone);
      return;
    }
    constexpr int64_t kAtOnce = 16;
    std::array<size_t, kAtOnce> homes;
    for (int64_t begin = 0; begin < count; begin += kAtOnce) {
      const auto some = static_cast<size_t>(std::min(kAtOnce, count - begin));
      for (size_t i = 0; i < some; ++i) {
        homes[i] = homeOf(unitAt(begin + static_cast<int64_t>(i)));
        __builtin_prefetch(&slots_[homes[i]]);
      }
      for (size_t i = 0; i < some; ++i) {
        const uint32_t entry = slots_[homes[i]];
        if (entry != 0) __builtin_prefetch(&units_[entry - 1]);
      }
      for (size_t i = 0; i < some; ++i) {
        const int64_t place = begin + static_cast<int64_t>(i);
        each(place, static_cast<int64_t>(slots_[slotOf(unitAt(place), homes[i])]) - 1);
      }
    }
  }

  // The unit's entry, and whether it is new.
  std::pair<int64_t, bool> place(uint32_t unit) {
    if ((units_.size() + 1) * 2 > slots_.size()) rebuild(slots_.empty() ? 8 : 2 * slots_.size());
    uint32_t& slot = slots_[slotOf(unit, homeOf(unit))];
    if (slot != 0) return {static_cast<int64_t>(slot) - 1, false};
    units_.push_back(unit);
    slot = static_cast<uint32_t>(units_.size());
    return {size() - 1, true};
  }
  // Of units that are placed one after the other, one so far ahead is to be expected.
  static constexpr int64_t kAhead = 16;
  void expect(uint32_t unit) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[homeOf(unit)], 1);
  }

  // Makes room for `more` units: no larger than needed, unless it has to grow often.
  void reserve(int64_t more) {
    const size_t needed = units_.size() + static_cast<size_t>(more);
    if (needed > units_.capacity()) {
      units_.reserve(std::max(needed, units_.capacity() + units_.capacity() / 4));
    }
    size_t slots = std::max<size_t>(8, slots_.size());
    while (slots < 2 * needed) slots *= 2;
    if (slots > slots_.size()) rebuild(slots);
  }

  // Removes the unit of an entry, whose place the last one takes.
  void erase(int64_t entry) {
    const uint32_t unit = units_[static_cast<size_t>(entry)];
    const size_t hole = slotOf(unit, homeOf(unit));
    if (entry != size() - 1) {
      const uint32_t last = units_.back();
      slots_[slotOf(last, homeOf(last))] = static_cast<uint32_t>(entry + 1);
      units_[static_cast<size_t>(entry)] = last;
    }
    freeSlot(hole);
    units_.pop_back();
  }

  void clear() {
    // The slots serve the next units, unless they are many more than those that were there.
    if (slots_.size() > 8 * units_.size()) {
      slots_.clear();
    } else {
      std::ranges::fill(slots_, 0);
    }
    units_.clear();
  }

 private:
  // By the product's high bits: its low ones are as regular as the units, every tenth row of a
  // table for example.
  size_t homeOf(uint32_t unit) const {
    return static_cast<size_t>((uint64_t{unit * 0x9E3779B1u} * slots_.size()) >> 32);
  }

  // The slot that holds the unit, or the free one where it belongs.
  size_t slotOf(uint32_t unit, size_t home) const {
    const size_t mask = slots_.size() - 1;
    size_t slot = home;
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

  void rebuild(size_t slots) {
    slots_.assign(slots, 0);
    for (size_t entry = 0; entry < units_.size(); ++entry) {
      slots_[slotOf(units_[entry], homeOf(units_[entry]))] = static_cast<uint32_t>(entry + 1);
    }
  }

  std::pmr::vector<uint32_t> slots_;  // entry + 1; 0: free. A power of two of them
  std::pmr::vector<uint32_t> units_;
};

}  // namespace polydomain
