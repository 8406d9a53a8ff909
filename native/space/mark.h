#pragma once

#include <map>
#include <utility>
#include <vector>

#include "overlay.h"
#include "polydomain/space.h"
#include "unit_journal.h"

namespace polydomain {

struct Mark {
  Mark(MarkId markId, std::vector<UnitJournal> journals)
      : id(markId), shared(std::move(journals)) {}
  void clear() {
    for (UnitJournal& journal : shared) journal.clear();
    overlays.clear();
  }
  MarkId id;
  std::vector<UnitJournal> shared;  // by region: values when the mark was opened
  std::map<OverlayId, OverlayJournal> overlays;
};

}  // namespace polydomain
