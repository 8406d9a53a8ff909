#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "unit_index.h"

namespace polydomain {

// A set of units of a region: bits, in words that an index finds. Where units lie near each other
// that is a small part of an index of the units.
class UnitSet {
 public:
  UnitSet(int64_t units, std::pmr::memory_resource* memory)
      : most_((units + kWordBits - 1) / kWordBits), words_(memory), bits_(memory) {}

  bool holds(uint32_t unit) const {
    const int64_t word = words_.find(unit / kWordBits);
    return word != UnitIndex::kNone && (bits_[static_cast<size_t>(word)] & bitOf(unit)) != 0;
  }

  // Adding so many units needs no more memory then.
  void reserve(int64_t more) {
    const int64_t words = std::min(more, most_ - words_.size());
    words_.reserve(words);
    makeRoom(words);
  }
  // Whether the unit is new. Memory that cannot be had throws and leaves it as it was.
  bool add(uint32_t unit) {
    if (bits_.size() == static_cast<size_t>(words_.size())) makeRoom(words_.size() + 8);
    uint64_t& bits = bits_[static_cast<size_t>(words_.place(unit / kWordBits).first)];
    const bool isNew = (bits & bitOf(unit)) == 0;
    bits |= bitOf(unit);
    return isNew;
  }
  // Of a unit that it holds.
  void remove(uint32_t unit) {
    bits_[static_cast<size_t>(words_.find(unit / kWordBits))] &= ~bitOf(unit);
  }

 private:
  static constexpr uint32_t kWordBits = 64;
  static uint64_t bitOf(uint32_t unit) { return uint64_t{1} << (unit % kWordBits); }

  void makeRoom(int64_t words) {
    const auto needed = static_cast<size_t>(words_.size() + words);
    if (needed > bits_.size()) bits_.resize(needed);
  }

  int64_t most_;  // words
  UnitIndex words_;
  std::pmr::vector<uint64_t> bits_;  // by entry of words_, and zeros for the next ones
};

}  // namespace polydomain
