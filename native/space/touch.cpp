// What happens to units that are about to be written.

#include <algorithm>
#include <cstring>

#include "space_impl.h"

namespace polydomain {

void ParameterSpace::Impl::touch(int region, std::span<const uint32_t> units) {
  for (size_t begin = 0, end = 0; begin < units.size(); begin = end) {
    const int parameter = parameterOfUnit(region, units[begin]);
    end = region == 0 ? begin + 1 : units.size();
    while (end < units.size() && parameterOfUnit(region, units[end]) == parameter) ++end;
    keep(parameter, [&](UnitJournal& journal) { journal.add(units.subspan(begin, end - begin)); });
  }
}

void ParameterSpace::Impl::touchDense(int parameter) {
  const auto first = static_cast<uint32_t>(firstUnit(parameter));
  keep(parameter, [&](UnitJournal& journal) { journal.addRange(first, unitCount(parameter)); });
}

template <typename Add>
void ParameterSpace::Impl::keep(int parameter, const Add& add) {
  const auto r = static_cast<size_t>(regionOf(parameter));
  const bool own = active_ >= 0 && specific_[static_cast<size_t>(parameter)];
  if (!own && marks_.empty()) return;
  UnitJournal& journal = own ? base_[r] : marks_.back().shared[r];
  const int64_t held = journal.size();
  add(journal);
  if (own) {
    formEffective(r, held);
  } else {
    saveUnits(r, journal, held);
  }
}

void ParameterSpace::Impl::saveUnits(size_t r, UnitJournal& journal, int64_t first) const {
  const Region& region = regions_[r];
  forRanges(journal.size() - first, region.unitSize, [&](int64_t begin, int64_t end) {
    forRuns(r, journal, first + begin, first + end, kWholeRuns, [&](int64_t entry, int64_t count) {
      std::memcpy(journal.values(entry), region.unit(journal.unit(entry)),
                  static_cast<size_t>(count * region.unitSize) * sizeof(float));
    });
  });
}

void ParameterSpace::Impl::formEffective(size_t r, int64_t first) {
  const Region& region = regions_[r];
  UnitJournal& base = base_[r];
  const UnitStore& store = open_->stores[r];
  const int64_t ahead = unitsAhead(region.unitSize);
  found_.resize(static_cast<size_t>(base.size() - first));
  forRanges(base.size() - first, region.unitSize, [&](int64_t begin, int64_t end) {
    store.index().findAll(
        end - begin, [&](int64_t i) { return base.unit(first + begin + i); },
        [&](int64_t i, int64_t entry) { found_[static_cast<size_t>(begin + i)] = entry; });
    for (int64_t i = begin; i < end; ++i) {
      if (i + ahead < end) {
        const int64_t held = found_[static_cast<size_t>(i + ahead)];
        if (held != UnitStore::kNone) prefetchUnit(store.values(held), region.unitSize);
        prefetchUnit(region.unit(base.unit(first + i + ahead)), region.unitSize);
      }
      const int64_t held = found_[static_cast<size_t>(i)];
      const uint32_t unit = base.unit(first + i);
      float* value = region.unit(unit);
      std::memcpy(base.values(first + i), value,
                  static_cast<size_t>(region.unitSize) * sizeof(float));
      combineUnit(active_, static_cast<int>(r), unit,
                  held == UnitStore::kNone ? nullptr : store.values(held), value);
    }
  });
}

}  // namespace polydomain
