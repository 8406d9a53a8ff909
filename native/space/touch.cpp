// What happens to units that are about to be written.

#include <algorithm>
#include <cstring>

#include "own_values.h"
#include "space_impl.h"

namespace polydomain {

void ParameterSpace::Impl::touch(int region, std::span<const uint32_t> units) {
  for (size_t begin = 0, end = 0; begin < units.size(); begin = end) {
    const int parameter = parameterOfUnit(region, units[begin]);
    end = region == 0 ? begin + 1 : units.size();
    while (end < units.size() && parameterOfUnit(region, units[end]) == parameter) ++end;
    const std::span<const uint32_t> some = units.subspan(begin, end - begin);
    keep(parameter, std::ssize(some), [&](UnitJournal& journal, int64_t first, int64_t last) {
      journal.add(some.subspan(static_cast<size_t>(first), static_cast<size_t>(last - first)));
    });
  }
}

void ParameterSpace::Impl::touchDense(int parameter) {
  const int64_t first = firstUnit(parameter);
  keep(parameter, unitCount(parameter), [&](UnitJournal& journal, int64_t begin, int64_t end) {
    journal.addRange(static_cast<uint32_t>(first + begin), end - begin);
  });
}

template <typename Add>
void ParameterSpace::Impl::keep(int parameter, int64_t count, const Add& add) {
  const auto r = static_cast<size_t>(regionOf(parameter));
  const bool own = active_ >= 0 && specific_[static_cast<size_t>(parameter)];
  if (!own && marks_.empty()) return;
  UnitJournal& journal = own ? base_[r] : marks_.back().shared[r];
  journal.reserve(count);
  if (own) {
    const auto needed = static_cast<size_t>(journal.size() + count);
    if (needed > held_[r].size()) held_[r].resize(std::max(needed, 2 * held_[r].size()));
  }
  // One thread saves what it added while another adds the next.
  forPieces(count, regions_[r].unitSize, [&](int64_t begin, int64_t end, Turns::Turn& turn) {
    int64_t first = 0, last = 0;
    turn.take([&] {
      first = journal.size();
      add(journal, begin, end);
      last = journal.size();
    });
    if (own) {
      formEffective(r, first, last);
    } else {
      saveUnits(r, journal, first, last);
    }
  });
}

void ParameterSpace::Impl::saveUnits(size_t r, UnitJournal& journal, int64_t begin,
                                     int64_t end) const {
  const Region& region = regions_[r];
  forRuns(r, journal, begin, end, kWholeRuns, [&](int64_t entry, int64_t count) {
    std::memcpy(journal.values(entry), region.unit(journal.unit(entry)),
                static_cast<size_t>(count * region.unitSize) * sizeof(float));
  });
}

void ParameterSpace::Impl::formEffective(size_t r, int64_t begin, int64_t end) {
  const Region& region = regions_[r];
  UnitJournal& base = base_[r];
  const UnitStore& store = open_->stores[r];
  int64_t* entries = held_[r].data();
  const int64_t size = region.unitSize, ahead = unitsAhead(size);
  store.index().findAll(
      end - begin, [&](int64_t i) { return base.unit(begin + i); },
      [&](int64_t i, int64_t entry) { entries[begin + i] = entry; });
  for (int64_t i = begin; i < end; ++i) {
    if (i + ahead < end) {
      const int64_t next = entries[i + ahead];
      if (next != UnitStore::kNone) prefetchUnit(store.values(next), size);
      prefetchUnit(region.unit(base.unit(i + ahead)), size);
    }
    const uint32_t unit = base.unit(i);
    float* value = region.unit(unit);
    copyValues(value, size, base.values(i));
    if (entries[i] != UnitStore::kNone) {
      combineValues(combineOf(r, unit), store.values(entries[i]), size, value);
    } else {
      combineUnit(active_, static_cast<int>(r), unit, nullptr, value);
    }
  }
}

}  // namespace polydomain
