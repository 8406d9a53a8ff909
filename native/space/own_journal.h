#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "unit_index.h"
#include "unit_values.h"

namespace polydomain {

// What units of an overlay, of one region, were when a mark was opened. An absent one has no
// values and takes no memory for them.
class OwnJournal {
 public:
  OwnJournal(int64_t unitSize, std::pmr::memory_resource* memory)
      : index_(memory), places_(memory), values_(unitSize, memory) {}

  const UnitIndex& index() const { return index_; }
  int64_t size() const { return index_.size(); }
  int64_t unitSize() const { return values_.unitSize(); }
  bool holds(uint32_t unit) const { return index_.find(unit) != UnitIndex::kNone; }
  uint32_t unit(int64_t entry) const { return index_.unit(entry); }
  // Null of an absent one.
  const float* values(int64_t entry) const {
    const uint32_t place = places_[static_cast<size_t>(entry)];
    return place == kAbsent ? nullptr : values_.at(place);
  }
  float* values(int64_t entry) {
    return const_cast<float*>(static_cast<const OwnJournal*>(this)->values(entry));
  }

  // Adding so many units, of which `present` are not absent, needs no more memory then.
  void reserve(int64_t more, int64_t present) {
    values_.reserve(values_.size() + present);
    index_.reserve(more);
    const size_t needed = places_.size() + static_cast<size_t>(more);
    if (needed > places_.capacity()) places_.reserve(needed + needed / 4);
  }
  // Adds a unit that it does not hold; returns its entry, whose values are still to be written.
  int64_t add(uint32_t unit, bool absent) {
    reserve(1, absent ? 0 : 1);
    places_.push_back(absent ? kAbsent : static_cast<uint32_t>(values_.size()));
    if (!absent) values_.resize(values_.size() + 1);
    return index_.place(unit).first;
  }

 private:
  static constexpr uint32_t kAbsent = ~uint32_t{0};

  UnitIndex index_;
  std::pmr::vector<uint32_t> places_;  // of an entry's values
  UnitValues values_;
};

}  // namespace polydomain
