#pragma once

#include <map>
#include <vector>

#include "overlay.h"
#include "polydomain/space.h"

namespace polydomain {

struct Mark {
  Mark(MarkId markId, const std::vector<Region>& regions) : id(markId) {
    for (const Region& region : regions) shared.emplace_back(region.unitSize);
  }
  // Memory stays, for what is saved next.
  void clear() {
    for (UnitStore& store : shared) store.clear();
    overlays.clear();
  }
  MarkId id;
  std::vector<UnitStore> shared;  // by region: values when the mark was opened
  std::map<OverlayId, OverlayJournal> overlays;
};

}  // namespace polydomain
