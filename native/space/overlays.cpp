// Overlays: opened, closed and kept.

#include <algorithm>
#include <atomic>
#include <cstring>

#include "own_values.h"
#include "polydomain/error.h"
#include "space_impl.h"

namespace polydomain {

void ParameterSpace::Impl::configure(Combine combine, SpecificStart start,
                                     const Selection& wanted) {
  requireClosed("configureOverlays");
  Selection specific = wanted;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    specific[i] = specific[i] || !parameters_[i].trainable;
  }
  if (!overlays_.empty() && (combine != combine_ || specific != specific_)) {
    throw Error(ErrorKind::kConfig,
                "overlays exist already with other settings; expected to drop them before");
  }
  combine_ = combine;
  start_ = start;
  specific_ = specific;
}

void ParameterSpace::Impl::open(OverlayId domain) {
  requireClosed("openOverlay");
  if (domain < 0) {
    throw Error(ErrorKind::kConfig, "overlay " + std::to_string(domain) + "; expected 0 or more");
  }
  open_ = &overlayOf(domain);
  active_ = domain;
  if (base_.empty()) base_ = emptyJournals();
  held_.resize(regions_.size());
}

void ParameterSpace::Impl::close(bool keep) {
  if (active_ < 0) throw Error(ErrorKind::kConfig, "closeOverlay: no overlay is open");
  if (keep) open_->use();
  OverlayJournal* journal = nullptr;
  for (size_t r = 0; r < regions_.size(); ++r) {
    if (base_[r].empty()) continue;
    if (keep && !marks_.empty() && journal == nullptr) journal = &journalOf(marks_.back(), active_);
    if (keep) {
      keepSpecific(r, journal == nullptr ? nullptr : &journal->stores[r]);
    } else {
      restoreShared(r);
    }
    base_[r].clear();
  }
  active_ = -1;
  open_ = nullptr;
}

void ParameterSpace::Impl::drop(OverlayId domain) {
  requireClosed("dropOverlay");
  const auto found = overlays_.find(domain);
  if (found == overlays_.end()) return;
  if (!marks_.empty()) {
    OverlayJournal& journal = journalOf(marks_.back(), domain);
    found->second.use();
    for (size_t r = 0; r < regions_.size(); ++r) {
      const UnitStore& store = found->second.stores[r];
      for (int64_t entry = 0; entry < store.size(); ++entry) {
        journalUnit(journal.stores[r], store, store.unit(entry));
      }
    }
  }
  overlays_.erase(found);
}

std::vector<OverlayId> ParameterSpace::Impl::overlays() const {
  std::vector<OverlayId> ids;
  for (const auto& [id, overlay] : overlays_) ids.push_back(id);
  return ids;
}

int64_t ParameterSpace::Impl::overlayUnits(OverlayId domain) const {
  const auto found = overlays_.find(domain);
  return found == overlays_.end() ? 0 : found->second.units();
}

int64_t ParameterSpace::Impl::overlayBytes() const {
  int64_t bytes = 0;
  for (const auto& [id, overlay] : overlays_) {
    for (const UnitStore& store : overlay.stores) bytes += store.bytes();
  }
  return bytes;
}

void ParameterSpace::Impl::limit(const std::string& folder, int64_t budget) {
  requireClosed("limitOverlays");
  if (!marks_.empty()) {
    throw Error(ErrorKind::kConfig, "limitOverlays: a mark is open; expected none");
  }
  SpillMemory memory;
  if (budget >= 0) memory = std::make_shared<SpillFile>(folder, budget);
  if (!memory && !memory_) return;
  for (auto place = overlays_.begin(); place != overlays_.end(); ++place) {
    const OverlayId domain = place->first;
    place->second.use();
    Overlay copy(place->second, memory);
    place = overlays_.erase(place);
    place = overlays_.emplace_hint(place, domain, std::move(copy));
  }
  memory_ = memory;
}

void ParameterSpace::Impl::setOverlayUnit(OverlayId domain, int parameter, uint32_t unit,
                                          std::span<const float> values) {
  requireClosed("setOverlayUnit");
  const int region = regionOf(parameter);
  const int64_t size = regions_[static_cast<size_t>(region)].unitSize;
  if (unit >= unitCount(parameter) || static_cast<int64_t>(values.size()) != size) {
    throw Error(ErrorKind::kCheckpoint,
                "overlay of '" + parameters_[static_cast<size_t>(parameter)].name + "': unit " +
                    std::to_string(unit) + " with " + std::to_string(values.size()) +
                    " values; expected a unit below " + std::to_string(unitCount(parameter)) +
                    " with " + std::to_string(size));
  }
  const auto at = static_cast<uint32_t>(firstUnit(parameter) + unit);
  const auto r = static_cast<size_t>(region);
  UnitStore& store = overlayOf(domain).stores[r];
  if (!marks_.empty()) journalUnit(journalOf(marks_.back(), domain).stores[r], store, at);
  std::copy(values.begin(), values.end(), store.values(store.insert(at).first));
}

void ParameterSpace::Impl::requireClosed(const char* operation) const {
  if (active_ < 0) return;
  throw Error(ErrorKind::kConfig, std::string(operation) + ": the overlay of domain " +
                                      std::to_string(active_) +
                                      " is open; expected it to be closed before");
}

Overlay& ParameterSpace::Impl::overlayOf(OverlayId domain) {
  Overlay& overlay = overlays_.try_emplace(domain, regions_, memory_).first->second;
  overlay.use();
  return overlay;
}

const Overlay* ParameterSpace::Impl::find(OverlayId domain) const {
  const auto found = overlays_.find(domain);
  if (found == overlays_.end()) return nullptr;
  found->second.use();
  return &found->second;
}

OverlayJournal& ParameterSpace::Impl::journalOf(Mark& mark, OverlayId domain) {
  OverlayJournal& journal = mark.overlays.try_emplace(domain, regions_, memory_).first->second;
  journal.use();
  return journal;
}

void ParameterSpace::Impl::restoreShared(size_t r) const {
  const UnitJournal& base = base_[r];
  const Region& region = regions_[r];
  forRanges(base.size(), region.unitSize, [&](int64_t begin, int64_t end) {
    forRuns(r, base, begin, end, kWholeRuns, [&](int64_t entry, int64_t count) {
      std::memcpy(region.unit(base.unit(entry)), base.values(entry),
                  static_cast<size_t>(count * region.unitSize) * sizeof(float));
    });
  });
}

void ParameterSpace::Impl::keepSpecific(size_t r, OwnJournal* journal) {
  reserveKept(r, journal);
  // A piece stays in the cache from its comparison to its copies.
  forPieces(base_[r].size(), regions_[r].unitSize,
            [&](int64_t begin, int64_t end, Turns::Turn& turn) {
              thread_local std::vector<Kept> kept;
              kept.resize(static_cast<size_t>(end - begin));
              findChanged(r, begin, kept);
              turn.take([&] { placeKept(r, begin, kept, journal); });
              keepUnits(r, begin, kept);
            });
}

void ParameterSpace::Impl::reserveKept(size_t r, OwnJournal* journal) {
  const UnitJournal& base = base_[r];
  std::atomic<int64_t> added = 0, saved = 0, present = 0;
  forRanges(base.size(), 1, [&](int64_t begin, int64_t end) {
    int64_t isNew = 0, saves = 0, newSaves = 0;
    for (int64_t i = begin; i < end; ++i) {
      const bool absent = held_[r][static_cast<size_t>(i)] == UnitStore::kNone;
      const bool toSave = journal != nullptr && !journal->holds(base.unit(i));
      isNew += absent;
      saves += toSave;
      newSaves += toSave && absent;
    }
    added += isNew;
    saved += saves;
    present += saves - newSaves;
  });
  if (journal != nullptr) journal->reserve(saved, present);
  open_->stores[r].reserve(added);
}

void ParameterSpace::Impl::findChanged(size_t r, int64_t begin, std::span<Kept> kept) const {
  const UnitJournal& base = base_[r];
  UnitStore& store = open_->stores[r];
  const Region& region = regions_[r];
  const int64_t* held = held_[r].data() + begin;
  const int64_t count = std::ssize(kept);
  const int64_t ahead = unitsAhead(region.unitSize);
  for (int64_t i = 0; i < count; ++i) {
    if (i + ahead < count) {
      const int64_t next = held[i + ahead];
      if (next != UnitStore::kNone) prefetchUnit(store.values(next), region.unitSize);
      prefetchUnit(region.unit(base.unit(begin + i + ahead)), region.unitSize);
    }
    const uint32_t unit = base.unit(begin + i);
    float* specific = held[i] == UnitStore::kNone ? nullptr : store.values(held[i]);
    const bool moved = changed(r, combineOf(r, unit), unit, base.values(begin + i), specific);
    kept[static_cast<size_t>(i)] = {specific, nullptr, specific == nullptr, moved};
  }
}

void ParameterSpace::Impl::placeKept(size_t r, int64_t begin, std::span<Kept> kept,
                                     OwnJournal* journal) {
  constexpr int64_t kAhead = UnitIndex::kAhead;
  const UnitJournal& base = base_[r];
  UnitStore& store = open_->stores[r];
  const int64_t* held = held_[r].data() + begin;
  const int64_t count = std::ssize(kept);
  for (int64_t i = 0; i < count; ++i) {
    if (i + kAhead < count && held[i + kAhead] == UnitStore::kNone) {
      store.index().expect(base.unit(begin + i + kAhead));
    }
    Kept& one = kept[static_cast<size_t>(i)];
    if (!one.changed) continue;
    const uint32_t unit = base.unit(begin + i);
    const int64_t entry = one.isNew ? store.place(unit).first : held[i];
    one.specific = store.values(entry);
    if (journal == nullptr) continue;
    const int64_t saved = journal->add(unit, one.isNew, entry);
    if (saved != OwnJournal::kNone) one.saved = journal->values(saved);
  }
}

void ParameterSpace::Impl::keepUnits(size_t r, int64_t begin, std::span<const Kept> kept) const {
  const UnitJournal& base = base_[r];
  const Region& region = regions_[r];
  const int64_t size = region.unitSize;
  for (int64_t entry = begin; const Kept& one : kept) {
    const uint32_t unit = base.unit(entry);
    const float* shared = base.values(entry++);
    float* value = region.unit(unit);
    if (one.changed) {
      const Combine combine = combineOf(r, unit);
      if (one.saved != nullptr) copyValues(one.specific, size, one.saved);
      if (one.isNew && combine == Combine::kTimes) {
        startValues(active_, static_cast<int>(r), unit, shared, one.specific);
      }
      separateValues(combine, shared, value, size, one.specific);
    }
    copyValues(shared, size, value);
  }
}

bool ParameterSpace::Impl::changed(size_t r, Combine combine, uint32_t unit, const float* base,
                                   const float* specific) const {
  const int64_t size = regions_[r].unitSize;
  thread_local std::vector<float> start;
  if (specific == nullptr && !startsNeutral(combine)) {
    start.resize(static_cast<size_t>(size));
    startValues(active_, static_cast<int>(r), unit, base, start.data());
    specific = start.data();
  }
  return combinesToOther(combine, base, specific, regions_[r].unit(unit), size);
}

void ParameterSpace::Impl::journalUnit(OwnJournal& journal, const UnitStore& store, uint32_t unit) {
  const int64_t held = store.find(unit);
  const int64_t entry = journal.add(unit, held == UnitStore::kNone, held);
  if (entry != OwnJournal::kNone && held != UnitStore::kNone) {
    std::copy_n(store.values(held), store.unitSize(), journal.values(entry));
  }
}

}  // namespace polydomain
