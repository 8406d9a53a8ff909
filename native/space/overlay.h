#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <numeric>
#include <vector>

#include "own_journal.h"
#include "region.h"
#include "spill_file.h"
#include "unit_store.h"

namespace polydomain {

using SpillMemory = std::shared_ptr<SpillFile>;  // empty: values stay in memory

// Where one domain's values lie.
class OwnMemory {
 public:
  explicit OwnMemory(const SpillMemory& memory)
      : part_(memory ? std::make_unique<SpillFile::Part>(memory) : nullptr) {}
  // Before reading or writing; values last used are the last to leave memory.
  void use() const {
    if (part_) part_->use();
  }
  std::pmr::memory_resource* resource() const { return part_ ? part_.get() : pageMemory(); }

 private:
  std::unique_ptr<SpillFile::Part> part_;
};

// A domain's own values.
struct Overlay : OwnMemory {
  Overlay(const std::vector<Region>& regions, const SpillMemory& memory) : OwnMemory(memory) {
    for (const Region& region : regions) stores.emplace_back(region.unitSize, resource());
  }
  // A copy in other memory.
  Overlay(const Overlay& other, const SpillMemory& memory) : OwnMemory(memory) {
    for (const UnitStore& store : other.stores) stores.emplace_back(store, resource());
  }
  bool empty() const {
    return std::all_of(stores.begin(), stores.end(),
                       [](const UnitStore& store) { return store.empty(); });
  }
  int64_t units() const {
    return std::accumulate(stores.begin(), stores.end(), int64_t{0},
                           [](int64_t sum, const UnitStore& store) { return sum + store.size(); });
  }

  std::vector<UnitStore> stores;  // by region
};

// What an overlay was when a mark was opened.
struct OverlayJournal : OwnMemory {
  OverlayJournal(const std::vector<Region>& regions, const SpillMemory& memory)
      : OwnMemory(memory) {
    for (const Region& region : regions) {
      stores.emplace_back(region.units, region.unitSize, resource());
    }
  }
  int64_t units() const {
    return std::accumulate(stores.begin(), stores.end(), int64_t{0},
                           [](int64_t sum, const OwnJournal& one) { return sum + one.size(); });
  }

  std::vector<OwnJournal> stores;  // by region
};

}  // namespace polydomain
