// Marks: what changed since, and the way back.

#include <algorithm>
#include <cstring>

#include "polydomain/error.h"
#include "space_impl.h"

namespace polydomain {

MarkId ParameterSpace::Impl::mark() {
  requireClosed("mark");
  marks_.emplace_back(nextMark_++, regions_);
  if (!spare_.empty()) marks_.back().shared = std::move(spare_);
  spare_.clear();
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
  mark.clear();
  spare_ = std::move(mark.shared);
}

int64_t ParameterSpace::Impl::savedUnits(MarkId id) const {
  int64_t count = 0;
  for (const Mark& mark : marks_) {
    if (mark.id != id) continue;
    for (const UnitStore& store : mark.shared) count += store.size();
    for (const auto& [domain, journal] : mark.overlays) count += journal.units();
  }
  return count;
}

void ParameterSpace::Impl::visitSharedChanges(MarkId id, const Selection* only,
                                              const std::function<void(const Change&)>& visit) {
  requireClosed("outerStep");
  const Selection trained = only == nullptr ? trainable({}) : trainable(*only);
  const auto index = indexOf("outerStep", id);
  visitShared(index, &trained, visit, kInOrder);
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

void ParameterSpace::Impl::mergeInto(Mark& older, Mark& mark) {
  for (size_t r = 0; r < mark.shared.size(); ++r) {
    if (older.shared[r].empty()) {
      std::swap(older.shared[r], mark.shared[r]);
      continue;
    }
    const UnitStore& from = mark.shared[r];
    for (int64_t i = 0; i < from.size(); ++i) {
      const auto [entry, isNew] = older.shared[r].insert(from.unit(i));
      if (isNew) std::copy_n(from.values(i), from.unitSize(), older.shared[r].values(entry));
    }
  }
  for (auto& [domain, journal] : mark.overlays) {
    const auto [place, isNewJournal] = older.overlays.try_emplace(domain, std::move(journal));
    if (isNewJournal) continue;
    OverlayJournal& into = place->second;
    into.use();
    journal.use();
    for (size_t r = 0; r < into.stores.size(); ++r) {
      const UnitStore& from = journal.stores[r];
      for (int64_t i = 0; i < from.size(); ++i) {
        if (into.stores[r].find(from.unit(i)) != UnitStore::kNone) continue;
        const int64_t entry = into.add(r, from.unit(i), journal.absent[r][static_cast<size_t>(i)]);
        std::copy_n(from.values(i), from.unitSize(), into.stores[r].values(entry));
      }
    }
  }
}

template <typename Visit>
void ParameterSpace::Impl::forEachChange(const char* operation, MarkId id, const Selection* only,
                                         const Visit& visit) {
  requireClosed(operation);
  const size_t index = indexOf(operation, id);
  const auto each = [this](int64_t count, int64_t size, const auto& body) {
    forUnits(count, size, body);
  };
  // Overlays first: an absent unit of a fork starts from the shared value as it is now.
  visitOverlays(index, only, visit, each);
  visitShared(index, only, visit, each);
}

template <typename Visit, typename Each>
void ParameterSpace::Impl::visitShared(size_t index, const Selection* only, const Visit& visit,
                                       const Each& each) {
  Mark& newest = marks_.back();
  for (size_t r = 0; r < regions_.size(); ++r) {
    const auto region = static_cast<int>(r);
    const int64_t size = regions_[r].unitSize;
    // From the mark to the newest: the first journal that holds a unit has its oldest value.
    for (size_t m = index; m < marks_.size(); ++m) {
      const UnitStore& journal = marks_[m].shared[r];
      const auto visited = [&](uint32_t unit) {
        return selected(only, region, unit) && !heldBetween(index, m, r, unit);
      };
      for (int64_t entry = 0; m + 1 < marks_.size() && entry < journal.size(); ++entry) {
        const uint32_t unit = journal.unit(entry);
        if (!visited(unit)) continue;
        const auto [copy, isNew] = newest.shared[r].place(unit);
        if (isNew) std::copy_n(regions_[r].unit(unit), size, newest.shared[r].values(copy));
      }
      each(journal.size(), size, [&](int64_t entry) {
        const uint32_t unit = journal.unit(entry);
        if (!visited(unit)) return;
        visit(Change{parameterOfUnit(region, unit), region, unit, -1, false, journal.values(entry),
                     regions_[r].unit(unit), size});
      });
    }
  }
}

bool ParameterSpace::Impl::heldBetween(size_t begin, size_t end, size_t region,
                                       uint32_t unit) const {
  for (size_t m = begin; m < end; ++m) {
    if (marks_[m].shared[region].find(unit) != UnitStore::kNone) return true;
  }
  return false;
}

bool ParameterSpace::Impl::overlayHeldBetween(size_t begin, size_t end, OverlayId domain,
                                              size_t region, uint32_t unit) const {
  for (size_t m = begin; m < end; ++m) {
    const auto found = marks_[m].overlays.find(domain);
    if (found != marks_[m].overlays.end() &&
        found->second.stores[region].find(unit) != UnitStore::kNone) {
      return true;
    }
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
        const UnitStore& saved = journal.stores[r];
        visited_.clear();
        for (int64_t entry = 0; entry < saved.size(); ++entry) {
          const uint32_t unit = saved.unit(entry);
          if (!selected(only, static_cast<int>(r), unit) ||
              overlayHeldBetween(index, m, domain, r, unit)) {
            continue;
          }
          if (newest != nullptr) journalUnit(*newest, &own, r, unit);
          visited_.push_back({entry, own.stores[r].find(unit), false, false});
        }
        visitOverlay(domain, r, journal, own.stores[r], visit, each);
      }
      if (own.empty()) overlays_.erase(domain);
    }
  }
}

template <typename Visit, typename Each>
void ParameterSpace::Impl::visitOverlay(OverlayId domain, size_t r, const OverlayJournal& journal,
                                        UnitStore& store, const Visit& visit, const Each& each) {
  const auto region = static_cast<int>(r);
  const UnitStore& from = journal.stores[r];
  const int64_t size = regions_[r].unitSize;
  store.reserve(std::count_if(visited_.begin(), visited_.end(),
                              [](const Visited& one) { return one.held == UnitStore::kNone; }));
  for (Visited& one : visited_) {
    one.isNew = one.held == UnitStore::kNone;
    if (one.isNew) one.held = store.place(from.unit(one.entry)).first;
  }
  each(static_cast<int64_t>(visited_.size()), size, [&](int64_t i) {
    thread_local std::vector<float> saved;
    Visited& one = visited_[static_cast<size_t>(i)];
    const uint32_t unit = from.unit(one.entry);
    const float* base = regions_[r].unit(unit);
    const bool absent = journal.absent[r][static_cast<size_t>(one.entry)] != 0;
    saved.assign(from.values(one.entry), from.values(one.entry) + size);
    if (absent) startValues(domain, region, unit, base, saved.data());
    float* value = store.values(one.held);
    if (one.isNew) startValues(domain, region, unit, base, value);
    one.gone = !visit(Change{parameterOfUnit(region, unit), region, unit, domain, absent,
                             saved.data(), value, size});
  });
  for (const Visited& one : visited_) {
    if (one.gone) store.erase(from.unit(one.entry));
  }
}

}  // namespace polydomain
