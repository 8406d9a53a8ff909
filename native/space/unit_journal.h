#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "unit_values.h"

namespace polydomain {

// What units of a region were before they changed, in the order in which they did. A bit for each
// unit of the region says whether it is held, so that adding finds no place in an index, and the
// whole of a dense parameter is added by words.
class UnitJournal {
 public:
  UnitJournal(int64_t units, int64_t unitSize)
      : words_((units + kWordBits - 1) / kWordBits), values_(unitSize) {}

  int64_t size() const { return static_cast<int64_t>(units_.size()); }
  bool empty() const { return units_.empty(); }
  uint32_t unit(int64_t entry) const { return units_[static_cast<size_t>(entry)]; }
  const uint32_t* units() const { return units_.data(); }
  float* values(int64_t entry) { return values_.at(entry); }
  const float* values(int64_t entry) const { return values_.at(entry); }
  int64_t together(int64_t entry) const { return values_.together(entry); }
  int64_t unitSize() const { return values_.unitSize(); }

  bool holds(uint32_t unit) const {
    return held_ != nullptr && (held_[unit / kWordBits] >> (unit % kWordBits) & 1) != 0;
  }

  // Adds the units that it does not hold, which come behind those that it does; their values are
  // still to be written. Throws where there is no memory; it is then as it was.
  void add(std::span<const uint32_t> units) {
    reserve(static_cast<int64_t>(units.size()));
    const size_t before = units_.size();
    units_.resize(before + units.size());
    uint32_t* next = units_.data() + before;
    for (const uint32_t unit : units) {
      uint64_t& word = held_[unit / kWordBits];
      const uint64_t bit = uint64_t{1} << (unit % kWordBits);
      *next = unit;
      next += (word & bit) == 0;
      word |= bit;
    }
    units_.resize(static_cast<size_t>(next - units_.data()));
    values_.resize(size());
  }

  // The unit's entry, which is the last one if it is new, and whether it is.
  std::pair<int64_t, bool> place(uint32_t unit) {
    const int64_t before = size();
    add({&unit, 1});
    return {size() - 1, size() > before};
  }

  // The same as add, of the units from `first` on.
  void addRange(uint32_t first, int64_t count) {
    reserve(count);
    const auto end = first + static_cast<uint32_t>(count);
    for (uint32_t unit = first; unit < end;) {
      const uint32_t last = std::min(end, (unit / kWordBits + 1) * kWordBits);
      uint64_t& word = held_[unit / kWordBits];
      const uint64_t ones = ~uint64_t{0} >> (kWordBits - (last - unit));
      const uint64_t wanted = ones << (unit % kWordBits);
      const bool none = (word & wanted) == 0;
      for (uint32_t one = unit; one < last; ++one) {
        if (none || !holds(one)) units_.push_back(one);
      }
      word |= wanted;
      unit = last;
    }
    values_.resize(size());
  }

  void clear() {
    // Few units leave few words.
    if (size() < words_) {
      for (const uint32_t unit : units_) held_[unit / kWordBits] = 0;
    } else if (words_ > 0 && held_ != nullptr) {
      std::fill_n(held_.get(), words_, uint64_t{0});
    }
    units_.clear();
    values_.clear();
  }

 private:
  static constexpr uint32_t kWordBits = 64;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  void reserve(int64_t more) {
    if (held_ == nullptr) {
      // Zeros that cost nothing until they are written.
      held_.reset(
          static_cast<uint64_t*>(std::calloc(static_cast<size_t>(words_), sizeof(uint64_t))));
      if (held_ == nullptr) throw std::bad_alloc();
    }
    const size_t needed = units_.size() + static_cast<size_t>(more);
    if (needed > units_.capacity()) units_.reserve(std::max(needed, 2 * units_.capacity()));
    values_.reserve(static_cast<int64_t>(needed));
  }

  int64_t words_;
  std::unique_ptr<uint64_t[], Free> held_;  // null: none yet
  std::vector<uint32_t> units_;
  UnitValues values_;
};

}  // namespace polydomain
