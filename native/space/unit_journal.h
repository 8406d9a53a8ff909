#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <numeric>
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

  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  uint32_t unit(int64_t entry) const { return units_[static_cast<size_t>(entry)]; }
  const uint32_t* units() const { return units_.data(); }
  float* values(int64_t entry) { return values_.at(entry); }
  const float* values(int64_t entry) const { return values_.at(entry); }
  int64_t together(int64_t entry) const { return values_.together(entry); }
  int64_t room(int64_t entry) const { return values_.room(entry); }
  int64_t unitSize() const { return values_.unitSize(); }

  bool holds(uint32_t unit) const {
    return held_ != nullptr && (held_[unit / kWordBits] >> (unit % kWordBits) & 1) != 0;
  }

  // Adding so many units needs no more memory then: what is there may be read and written
  // meanwhile. Throws where there is no memory; it is then as it was.
  void reserve(int64_t more) {
    if (held_ == nullptr) {
      // Zeros that cost nothing until they are written.
      held_.reset(
          static_cast<uint64_t*>(std::calloc(static_cast<size_t>(words_), sizeof(uint64_t))));
      if (held_ == nullptr) throw std::bad_alloc();
    }
    const auto needed = static_cast<size_t>(size_ + more);
    if (needed > units_.size()) units_.resize(std::max(needed, 2 * units_.size()));
    values_.reserve(size_ + more);
  }

  // Adds the units that it does not hold, which come behind those that it does; their values are
  // still to be written.
  void add(std::span<const uint32_t> units) {
    reserve(static_cast<int64_t>(units.size()));
    uint32_t* next = units_.data() + size_;
    for (const uint32_t unit : units) {
      uint64_t& word = held_[unit / kWordBits];
      const uint64_t bit = uint64_t{1} << (unit % kWordBits);
      *next = unit;
      next += (word & bit) == 0;
      word |= bit;
    }
    resize(next - units_.data());
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
    uint32_t* next = units_.data() + size_;
    for (uint32_t unit = first; unit < end;) {
      const uint32_t last = std::min(end, (unit / kWordBits + 1) * kWordBits);
      uint64_t& word = held_[unit / kWordBits];
      const uint64_t ones = ~uint64_t{0} >> (kWordBits - (last - unit));
      const uint64_t wanted = ones << (unit % kWordBits);
      if ((word & wanted) == 0) {
        std::iota(next, next + (last - unit), unit);
        next += last - unit;
      } else {
        for (uint32_t one = unit; one < last; ++one) {
          if (!holds(one)) *next++ = one;
        }
      }
      word |= wanted;
      unit = last;
    }
    resize(next - units_.data());
  }

  void clear() {
    // Few units leave few words.
    if (size_ < words_) {
      for (int64_t entry = 0; entry < size_; ++entry) held_[unit(entry) / kWordBits] = 0;
    } else if (words_ > 0 && held_ != nullptr) {
      std::fill_n(held_.get(), words_, uint64_t{0});
    }
    size_ = 0;
    values_.clear();
  }

 private:
  static constexpr uint32_t kWordBits = 64;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  void resize(int64_t size) {
    size_ = size;
    values_.resize(size);
  }

  int64_t words_;
  std::unique_ptr<uint64_t[], Free> held_;  // null: none yet
  int64_t size_ = 0;
  std::vector<uint32_t> units_;  // and room for more
  UnitValues values_;
};

}  // namespace polydomain
