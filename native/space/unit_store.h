#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <utility>

#include "unit_index.h"
#include "unit_values.h"

namespace polydomain {

// A map from unit to its values: the container of overlays and gradient buffers. Pointers to values
// hold until the next insertion. Memory that cannot be had throws and leaves it as it was.
class UnitStore {
 public:
  static constexpr int64_t kNone = UnitIndex::kNone;

  explicit UnitStore(int64_t unitSize, std::pmr::memory_resource* memory = pageMemory())
      : index_(memory), values_(unitSize, memory) {}
  // A copy in other memory.
  UnitStore(const UnitStore& other, std::pmr::memory_resource* memory)
      : index_(other.index_, memory), values_(other.values_, memory) {}

  const UnitIndex& index() const { return index_; }
  int64_t size() const { return index_.size(); }
  bool empty() const { return index_.empty(); }
  uint32_t unit(int64_t entry) const { return index_.unit(entry); }
  float* values(int64_t entry) { return values_.at(entry); }
  const float* values(int64_t entry) const { return values_.at(entry); }
  // How many entries' values, from one on, lie one behind the other.
  int64_t together(int64_t entry) const { return values_.together(entry); }
  int64_t unitSize() const { return values_.unitSize(); }
  int64_t bytes() const { return index_.bytes() + values_.bytes(); }
  int64_t find(uint32_t unit) const { return index_.find(unit); }
  // The same, where it is probably at `guess`; any value will do.
  int64_t find(uint32_t unit, int64_t guess) const {
    const bool right = guess >= 0 && guess < size() && index_.unit(guess) == unit;
    return right ? guess : find(unit);
  }

  // The unit's entry, and whether it is new; values of a new one are zeros.
  std::pair<int64_t, bool> insert(uint32_t unit) {
    const auto [entry, isNew] = place(unit);
    if (isNew) std::fill_n(values(entry), unitSize(), 0.0f);
    return {entry, isNew};
  }

  // The same, but values of a new one are still to be written.
  std::pair<int64_t, bool> place(uint32_t unit) {
    values_.reserve(size() + 1);
    const auto placed = index_.place(unit);
    values_.resize(size());
    return placed;
  }

  // Adding so many units needs no more memory then.
  void reserve(int64_t more) {
    values_.reserve(size() + more);
    index_.reserve(more);
  }

  // Removes a unit; the last entry takes its place.
  void erase(uint32_t unit) {
    const int64_t entry = find(unit);
    if (entry == kNone) return;
    index_.erase(entry);
    if (entry != size()) {
      std::memcpy(values(entry), values(size()), static_cast<size_t>(unitSize()) * sizeof(float));
    }
    values_.resize(size());
  }

  void clear() {
    index_.clear();
    values_.clear();
  }

 private:
  UnitIndex index_;
  UnitValues values_;
};

}  // namespace polydomain
