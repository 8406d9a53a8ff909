#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "unit_set.h"
#include "unit_values.h"

namespace polydomain {

// What units of an overlay, of one region, were when a mark was opened. An absent one has no
// values and takes no memory for them.
class OwnJournal {
 public:
  static constexpr int64_t kNone = -1;

  OwnJournal(int64_t units, int64_t unitSize, std::pmr::memory_resource* memory)
      : held_(units, memory), entries_(memory), values_(unitSize, memory) {}

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  int64_t unitSize() const { return values_.unitSize(); }
  bool holds(uint32_t unit) const { return held_.holds(unit); }
  uint32_t unit(int64_t entry) const { return entries_[static_cast<size_t>(entry)].unit; }
  // The overlay's entry of the unit when it was added: a guess at where it is.
  int64_t place(int64_t entry) const { return entries_[static_cast<size_t>(entry)].place; }
  // Null of an absent one.
  const float* values(int64_t entry) const {
    const uint32_t at = entries_[static_cast<size_t>(entry)].values;
    return at == kAbsent ? nullptr : values_.at(at);
  }
  float* values(int64_t entry) {
    return const_cast<float*>(static_cast<const OwnJournal*>(this)->values(entry));
  }

  // Adding so many units, of which `present` are not absent, needs no more memory then.
  void reserve(int64_t more, int64_t present) {
    values_.reserve(values_.size() + present);
    held_.reserve(more);
    const size_t needed = entries_.size() + static_cast<size_t>(more);
    if (needed > entries_.capacity()) entries_.reserve(needed + needed / 4);
  }
  // Adds a unit; returns its entry, whose values are still to be written, or kNone if it is held.
  int64_t add(uint32_t unit, bool absent, int64_t place) {
    if (!held_.add(unit)) return kNone;
    try {
      if (!absent) values_.reserve(values_.size() + 1);
      if (entries_.size() == entries_.capacity()) entries_.reserve(8 + 2 * entries_.size());
    } catch (...) {
      held_.remove(unit);
      throw;
    }
    entries_.push_back({unit, static_cast<uint32_t>(place),
                        absent ? kAbsent : static_cast<uint32_t>(values_.size())});
    if (!absent) values_.resize(values_.size() + 1);
    return size() - 1;
  }

 private:
  static constexpr uint32_t kAbsent = ~uint32_t{0};
  struct Entry {
    uint32_t unit, place, values;
  };

  UnitSet held_;
  std::pmr::vector<Entry> entries_;
  UnitValues values_;
};

}  // namespace polydomain
