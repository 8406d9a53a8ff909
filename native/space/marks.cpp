// Marks: what changed since, and the way back.

#include <algorithm>
#include <atomic>
#include <cstring>

#include "polydomain/error.h"
#include "space_impl.h"

namespace polydomain {

MarkId ParameterSpace::Impl::mark() {
  requireClosed("mark");
  if (spare_.empty()) spare_.push_back(emptyJournals());
  marks_.emplace_back(nextMark_++, std::move(spare_.back()));
  spare_.pop_back();
  return marks_.back().id;
}

void ParameterSpace::Impl::restore(MarkId id, const Selection* only) {
  forEachChange("restore", id, only, [](const Change& change) {
    if (change.wasAbsent) return false;
    std::memcpy(change.value, change.saved, static_cast<size_t>(change.size) * sizeof(float));
    return true;
  });
  if (marks_.back().id == id && only == nullptr) marks_.back().clear();
}

void ParameterSpace::Impl::lerp(MarkId id, float rate, const Selection* only) {
  const Selection trained = trainable(only == nullptr ? Selection{} : *only);
  forEachChange("lerp", id, &trained, [&](const Change& change) {
    for (int64_t i = 0; i < change.size; ++i) {
      change.value[i] = change.saved[i] + rate * (change.value[i] - change.saved[i]);
    }
    return true;
  });
}

void ParameterSpace::Impl::release(MarkId id) {
  const size_t index = indexOf("release", id);
  // It ends whatever happens.
  Mark mark = std::move(marks_[index]);
  marks_.erase(marks_.begin() + static_cast<std::ptrdiff_t>(index));
  if (index > 0) mergeInto(marks_[index - 1], mark);
  if (spare_.size() == kSpare) return;
  mark.clear();
  spare_.push_back(std::move(mark.shared));
}

int64_t ParameterSpace::Impl::savedUnits(MarkId id) const {
  int64_t count = 0;
  for (const Mark& mark : marks_) {
    if (mark.id != id) continue;
    for (const UnitJournal& shared : mark.shared) count += shared.size();
    for (const auto& [domain, journal] : mark.overlays) count += journal.units();
  }
  return count;
}

void ParameterSpace::Impl::visitSharedChanges(MarkId id, const Selection* only,
                                              const std::function<void(const Change&)>& visit) {
  requireClosed("outerStep");
  const Selection trained = only == nullptr ? trainable({}) : trainable(*only);
  const auto index = indexOf("outerStep", id);
  constexpr int64_t kOneByOne = 1;
  visitShared(index, &trained, kOneByOne, visit, kInOrder);
}

void ParameterSpace::Impl::visitOverlayWay(
    MarkId id, OverlayId domain, const std::function<void(int, uint32_t, const float*)>& visit) {
  requireClosed("bufferAddChange");
  std::vector<float> way;
  const Selection trained = trainable({});
  const auto add = [&](const Change& change) {
    if (change.overlay != domain) return true;
    const float* base = regions_[static_cast<size_t>(change.region)].unit(change.unit);
    way.resize(static_cast<size_t>(change.size));
    for (int64_t i = 0; i < change.size; ++i) {
      const float factor = combine_ == Combine::kTimes ? base[i] : 1.0f;
      way[static_cast<size_t>(i)] = factor * (change.saved[i] - change.value[i]);
    }
    visit(change.region, change.unit, way.data());
    return true;
  };
  visitOverlays(indexOf("bufferAddChange", id), &trained, add, kInOrder);
}

size_t ParameterSpace::Impl::indexOf(const char* operation, MarkId id) const {
  for (size_t i = 0; i < marks_.size(); ++i) {
    if (marks_[i].id == id) return i;
  }
  throw Error(ErrorKind::kConfig,
              std::string(operation) + ": mark " + std::to_string(id) + " is not open");
}

std::vector<UnitJournal> ParameterSpace::Impl::emptyJournals() const {
  std::vector<UnitJournal> journals;
  for (const Region& region : regions_) journals.emplace_back(region.units, region.unitSize);
  return journals;
}

void ParameterSpace::Impl::mergeInto(Mark& older, Mark& mark) {
  for (size_t r = 0; r < mark.shared.size(); ++r) {
    if (older.shared[r].empty()) {
      std::swap(older.shared[r], mark.shared[r]);
    } else {
      mergeShared(older.shared[r], mark.shared[r]);
    }
  }
  for (auto& [domain, journal] : mark.overlays) {
    const auto [place, isNewJournal] = older.overlays.try_emplace(domain, std::move(journal));
    if (isNewJournal) continue;
    OverlayJournal& into = place->second;
    into.use();
    journal.use();
    for (size_t r = 0; r < into.stores.size(); ++r) mergeOwn(into.stores[r], journal.stores[r]);
  }
}

void ParameterSpace::Impl::mergeShared(UnitJournal& into, const UnitJournal& from) {
  const int64_t first = into.size();
  into.add({from.units(), static_cast<size_t>(from.size())});
  // What was added has the order that it has there.
  found_.clear();
  for (int64_t entry = 0; first + std::ssize(found_) < into.size(); ++entry) {
    if (from.unit(entry) == into.unit(first + std::ssize(found_))) found_.push_back(entry);
  }
  forRanges(std::ssize(found_), from.unitSize(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::copy_n(from.values(found_[static_cast<size_t>(i)]), from.unitSize(),
                  into.values(first + i));
    }
  });
}

void ParameterSpace::Impl::mergeOwn(OwnJournal& into, const OwnJournal& from) {
  found_.clear();
  int64_t present = 0;
  for (int64_t entry = 0; entry < from.size(); ++entry) {
    if (into.holds(from.unit(entry))) continue;
    found_.push_back(entry);
    present += from.values(entry) != nullptr;
  }
  into.reserve(std::ssize(found_), present);
  const int64_t first = into.size();
  for (const int64_t entry : found_) {
    into.add(from.unit(entry), from.values(entry) == nullptr, from.place(entry));
  }
  forRanges(std::ssize(found_), from.unitSize(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* values = from.values(found_[static_cast<size_t>(i)]);
      if (values != nullptr) std::copy_n(values, from.unitSize(), into.values(first + i));
    }
  });
}

template <typename Visit>
void ParameterSpace::Impl::forEachChange(const char* operation, MarkId id, const Selection* only,
                                         const Visit& visit) {
  requireClosed(operation);
  const size_t index = indexOf(operation, id);
  const auto each = [this](int64_t count, int64_t size, const auto& body) {
    forRanges(count, size, body);
  };
  // Overlays first: an absent unit of a fork starts from the shared value as it is now.
  visitOverlays(index, only, visit, each);
  visitShared(index, only, kWholeRuns, visit, each);
}

template <typename Visit, typename Each>
void ParameterSpace::Impl::visitShared(size_t index, const Selection* only, int64_t mostUnits,
                                       const Visit& visit, const Each& each) {
  UnitJournal* newest = marks_.back().shared.data();
  for (size_t r = 0; r < regions_.size(); ++r) {
    const auto region = static_cast<int>(r);
    // From the mark to the newest: the first journal that holds a unit has its oldest value.
    for (size_t m = index; m < marks_.size(); ++m) {
      const UnitJournal& journal = marks_[m].shared[r];
      const auto visited = [&](uint32_t unit) {
        return selected(only, region, unit) && !heldBetween(index, m, r, unit);
      };
      for (int64_t entry = 0; m + 1 < marks_.size() && entry < journal.size(); ++entry) {
        const uint32_t unit = journal.unit(entry);
        if (!visited(unit)) continue;
        const auto [copy, isNew] = newest[r].place(unit);
        if (isNew)
          std::copy_n(regions_[r].unit(unit), regions_[r].unitSize, newest[r].values(copy));
      }
      const int64_t most = m == index ? mostUnits : 1;
      each(journal.size(), regions_[r].unitSize, [&](int64_t begin, int64_t end) {
        forRuns(r, journal, begin, end, most, [&](int64_t entry, int64_t count) {
          const uint32_t unit = journal.unit(entry);
          if (!visited(unit)) return;
          visit(Change{parameterOfUnit(region, unit), region, unit, -1, false,
                       journal.values(entry), regions_[r].unit(unit),
                       count * regions_[r].unitSize});
        });
      });
    }
  }
}

bool ParameterSpace::Impl::heldBetween(size_t begin, size_t end, size_t region,
                                       uint32_t unit) const {
  for (size_t m = begin; m < end; ++m) {
    if (marks_[m].shared[region].holds(unit)) return true;
  }
  return false;
}

bool ParameterSpace::Impl::overlayHeldBetween(size_t begin, size_t end, OverlayId domain,
                                              size_t region, uint32_t unit) const {
  for (size_t m = begin; m < end; ++m) {
    const auto found = marks_[m].overlays.find(domain);
    if (found != marks_[m].overlays.end() && found->second.stores[region].holds(unit)) return true;
  }
  return false;
}

template <typename Visit, typename Each>
void ParameterSpace::Impl::visitOverlays(size_t index, const Selection* only, const Visit& visit,
                                         const Each& each) {
  for (size_t m = index; m < marks_.size(); ++m) {
    const bool isNewest = m + 1 == marks_.size();
    for (auto& [domain, journal] : marks_[m].overlays) {
      journal.use();
      Overlay& own = overlayOf(domain);
      OverlayJournal* newest = isNewest ? nullptr : &journalOf(marks_.back(), domain);
      for (size_t r = 0; r < regions_.size(); ++r) {
        const OwnJournal& saved = journal.stores[r];
        found_.clear();
        for (int64_t entry = 0; entry < saved.size(); ++entry) {
          const uint32_t unit = saved.unit(entry);
          if (!selected(only, static_cast<int>(r), unit) ||
              overlayHeldBetween(index, m, domain, r, unit)) {
            continue;
          }
          if (newest != nullptr) journalUnit(newest->stores[r], own.stores[r], unit);
          found_.push_back(entry);
        }
        placeVisited(domain, r, saved, own.stores[r], each);
        visitOverlay(domain, r, saved, own.stores[r], visit, each);
      }
      if (own.empty()) overlays_.erase(domain);
    }
  }
}

template <typename Each>
void ParameterSpace::Impl::placeVisited(OverlayId domain, size_t r, const OwnJournal& journal,
                                        UnitStore& store, const Each& each) {
  std::atomic<int64_t> missing = 0;
  each(std::ssize(found_), regions_[r].unitSize, [&](int64_t begin, int64_t end) {
    int64_t count = 0;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t entry = found_[static_cast<size_t>(i)];
      count += store.find(journal.unit(entry), journal.place(entry)) == UnitStore::kNone;
    }
    missing += count;
  });
  if (missing == 0) return;
  store.reserve(missing);
  for (const int64_t entry : found_) {
    const uint32_t unit = journal.unit(entry);
    const auto [held, isNew] = store.place(unit);
    if (!isNew) continue;
    startValues(domain, static_cast<int>(r), unit, regions_[r].unit(unit), store.values(held));
  }
}

template <typename Visit, typename Each>
void ParameterSpace::Impl::visitOverlay(OverlayId domain, size_t r, const OwnJournal& journal,
                                        UnitStore& store, const Visit& visit, const Each& each) {
  const auto region = static_cast<int>(r);
  const int64_t size = regions_[r].unitSize, ahead = unitsAhead(size);
  gone_.assign(found_.size(), 0);
  each(std::ssize(found_), size, [&](int64_t begin, int64_t end) {
    thread_local std::vector<float> start;
    start.resize(static_cast<size_t>(size));
    for (int64_t i = begin; i < end; ++i) {
      if (i + ahead < end) {
        const int64_t place = journal.place(found_[static_cast<size_t>(i + ahead)]);
        prefetchUnit(store.values(std::min(place, store.size() - 1)), size);
      }
      const int64_t entry = found_[static_cast<size_t>(i)];
      const uint32_t unit = journal.unit(entry);
      const float* saved = journal.values(entry);
      const bool absent = saved == nullptr;
      if (absent) {
        startValues(domain, region, unit, regions_[r].unit(unit), start.data());
        saved = start.data();
      }
      float* value = store.values(store.find(unit, journal.place(entry)));
      const Change change{
          parameterOfUnit(region, unit), region, unit, domain, absent, saved, value, size};
      gone_[static_cast<size_t>(i)] = !visit(change);
    }
  });
  for (size_t i = 0; i < found_.size(); ++i) {
    if (gone_[i] != 0) store.erase(journal.unit(found_[i]));
  }
}

}  // namespace polydomain
