#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <numeric>
#include <vector>

#include "region.h"
#include "spill_file.h"
#include "unit_store.h"

namespace polydomain {

using SpillMemory = std::shared_ptr<SpillFile>;  // empty: values stay in memory

// A domain's own values.
class Overlay {
 public:
  Overlay(const std::vector<Region>& regions, const SpillMemory& memory)
      : part_(memory ? std::make_unique<SpillFile::Part>(memory) : nullptr) {
    for (const Region& region : regions) stores.emplace_back(region.unitSize, resource());
  }
  // A copy in other memory.
  Overlay(const Overlay& other, const SpillMemory& memory)
      : part_(memory ? std::make_unique<SpillFile::Part>(memory) : nullptr) {
    for (const UnitStore& store : other.stores) stores.emplace_back(store, resource());
  }
  Overlay(Overlay&&) = default;
  Overlay& operator=(Overlay&&) = delete;
  ~Overlay() = default;

  // Before reading or writing; values last used are the last to leave memory.
  void use() const {
    if (part_) part_->use();
  }
  std::pmr::memory_resource* resource() const {
    return part_ ? part_.get() : std::pmr::get_default_resource();
  }
  bool empty() const {
    return std::all_of(stores.begin(), stores.end(),
                       [](const UnitStore& store) { return store.empty(); });
  }
  int64_t units() const {
    return std::accumulate(stores.begin(), stores.end(), int64_t{0},
                           [](int64_t sum, const UnitStore& store) { return sum + store.size(); });
  }

 private:
  std::unique_ptr<SpillFile::Part> part_;  // before what allocates from it

 public:
  std::vector<UnitStore> stores;  // by region
};

// What one overlay's units were when a mark was opened; an absent one has no values.
struct OverlayJournal : Overlay {
  OverlayJournal(const std::vector<Region>& regions, const SpillMemory& memory)
      : Overlay(regions, memory) {
    for (size_t r = 0; r < regions.size(); ++r) absent.emplace_back(resource());
  }
  // Adds a unit that it does not hold; returns its entry, whose values are still to be written.
  int64_t add(size_t region, uint32_t unit, uint8_t wasAbsent) {
    absent[region].resize(static_cast<size_t>(stores[region].size()) + 1);
    absent[region].back() = wasAbsent;
    return stores[region].place(unit).first;
  }
  // Adding so many units to a region needs no more memory then.
  void reserve(size_t region, int64_t more) {
    stores[region].reserve(more);
    const size_t needed = absent[region].size() + static_cast<size_t>(more);
    if (needed > absent[region].capacity()) absent[region].reserve(needed + needed / 4);
  }
  std::vector<std::pmr::vector<uint8_t>> absent;  // by region and entry
};

}  // namespace polydomain
