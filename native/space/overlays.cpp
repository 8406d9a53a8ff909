// Overlays: opened, closed and kept.

#include <algorithm>
#include <array>
#include <cstring>

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
}

void ParameterSpace::Impl::close(bool keep) {
  if (active_ < 0) throw Error(ErrorKind::kConfig, "closeOverlay: no overlay is open");
  if (keep) open_->use();
  OverlayJournal* journal = nullptr;
  for (size_t r = 0; r < regions_.size(); ++r) {
    if (keep) {
      keepSpecific(r, journal);
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

void ParameterSpace::Impl::keepSpecific(size_t r, OverlayJournal*& journal) {
  const UnitJournal& base = base_[r];
  UnitStore& store = open_->stores[r];
  findKept(r);
  if (std::ranges::any_of(kept_, &Kept::changed)) {
    if (!marks_.empty() && journal == nullptr) journal = &journalOf(marks_.back(), active_);
    placeKept(r, journal == nullptr ? nullptr : &journal->stores[r]);
  }
  const Region& region = regions_[r];
  const int64_t ahead = unitsAhead(region.unitSize);
  forRanges(base.size(), region.unitSize, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (i + ahead < end) {
        const Kept& next = kept_[static_cast<size_t>(i + ahead)];
        if (next.changed) prefetchUnit(store.values(next.held), region.unitSize);
        prefetchUnit(region.unit(base.unit(i + ahead)), region.unitSize);
      }
      const Kept& one = kept_[static_cast<size_t>(i)];
      const auto bytes = static_cast<size_t>(region.unitSize) * sizeof(float);
      if (one.changed) {
        float* specific = store.values(one.held);
        if (one.saved != UnitIndex::kNone && !one.isNew) {
          std::memcpy(journal->stores[r].values(one.saved), specific, bytes);
        }
        keepUnit(r, base.unit(i), base.values(i), one.isNew, specific);
      }
      std::memcpy(region.unit(base.unit(i)), base.values(i), bytes);
    }
  });
}

void ParameterSpace::Impl::findKept(size_t r) {
  const UnitJournal& base = base_[r];
  const UnitStore& store = open_->stores[r];
  const Region& region = regions_[r];
  const int64_t ahead = unitsAhead(region.unitSize);
  kept_.resize(static_cast<size_t>(base.size()));
  forRanges(base.size(), region.unitSize, [&](int64_t begin, int64_t end) {
    store.index().findAll(
        end - begin, [&](int64_t i) { return base.unit(begin + i); },
        [&](int64_t i, int64_t held) {
          const bool isNew = held == UnitStore::kNone;
          kept_[static_cast<size_t>(begin + i)] = {held, UnitIndex::kNone, isNew, false, false};
        });
    for (int64_t i = begin; i < end; ++i) {
      if (i + ahead < end) {
        const int64_t held = kept_[static_cast<size_t>(i + ahead)].held;
        if (held != UnitStore::kNone) __builtin_prefetch(store.values(held));
        __builtin_prefetch(region.unit(base.unit(i + ahead)));
      }
      Kept& one = kept_[static_cast<size_t>(i)];
      one.changed =
          changed(r, base.unit(i), base.values(i), one.isNew ? nullptr : store.values(one.held));
    }
  });
}

void ParameterSpace::Impl::placeKept(size_t r, OwnJournal* journal) {
  constexpr int64_t kAhead = UnitIndex::kAhead;
  const UnitJournal& base = base_[r];
  UnitStore& store = open_->stores[r];
  int64_t added = 0, saved = 0, present = 0;
  if (journal != nullptr) {
    journal->index().findAll(
        base.size(), [&](int64_t i) { return base.unit(i); },
        [&](int64_t i, int64_t entry) {
          Kept& one = kept_[static_cast<size_t>(i)];
          one.saves = one.changed && entry == UnitIndex::kNone;
          saved += one.saves;
          present += one.saves && !one.isNew;
        });
    journal->reserve(saved, present);
  }
  for (const Kept& one : kept_) added += one.changed && one.isNew;
  store.reserve(added);
  for (int64_t i = 0; i < base.size(); ++i) {
    if (i + kAhead < base.size()) {
      const Kept& next = kept_[static_cast<size_t>(i + kAhead)];
      if (next.saves) journal->index().expect(base.unit(i + kAhead));
      if (next.isNew) store.index().expect(base.unit(i + kAhead));
    }
    Kept& one = kept_[static_cast<size_t>(i)];
    if (!one.changed) continue;
    if (one.saves) one.saved = journal->add(base.unit(i), one.isNew);
    if (one.isNew) one.held = store.place(base.unit(i)).first;
  }
}

bool ParameterSpace::Impl::changed(size_t r, uint32_t unit, const float* base,
                                   const float* specific) const {
  const int64_t size = regions_[r].unitSize;
  const float* effective = regions_[r].unit(unit);
  const Combine combine = combineOf(static_cast<int>(r), unit);
  if (specific == nullptr && !startsNeutral(combine)) {
    thread_local std::vector<float> before;
    before.assign(base, base + size);
    combineUnit(active_, static_cast<int>(r), unit, nullptr, before.data());
    return std::memcmp(before.data(), effective, static_cast<size_t>(size) * sizeof(float)) != 0;
  }
  // The first values tell, as a rule: training moves all of a unit.
  constexpr int64_t kAtOnce = 16;
  for (int64_t begin = 0; begin < size; begin += kAtOnce) {
    const int64_t count = std::min(kAtOnce, size - begin);
    std::array<float, kAtOnce> before;
    std::copy_n(base + begin, count, before.data());
    if (specific != nullptr) combineValues(combine, specific + begin, count, before.data());
    if (std::memcmp(before.data(), effective + begin, static_cast<size_t>(count) * sizeof(float)) !=
        0) {
      return true;
    }
  }
  return false;
}

void ParameterSpace::Impl::keepUnit(size_t r, uint32_t unit, const float* base, bool isNew,
                                    float* specific) const {
  const int64_t size = regions_[r].unitSize;
  const float* effective = regions_[r].unit(unit);
  switch (combineOf(static_cast<int>(r), unit)) {
    case Combine::kPlus:
      for (int64_t i = 0; i < size; ++i) specific[i] = effective[i] - base[i];
      break;
    case Combine::kTimes:
      if (isNew) startValues(active_, static_cast<int>(r), unit, base, specific);
      for (int64_t i = 0; i < size; ++i) {
        // A shared zero hides its factor: it stays as it was.
        if (base[i] != 0.0f) specific[i] = effective[i] / base[i];
      }
      break;
    case Combine::kReplace:
      std::copy_n(effective, size, specific);
      break;
  }
}

void ParameterSpace::Impl::journalUnit(OwnJournal& journal, const UnitStore& store, uint32_t unit) {
  if (journal.holds(unit)) return;
  const int64_t held = store.find(unit);
  const int64_t entry = journal.add(unit, held == UnitStore::kNone);
  if (held != UnitStore::kNone) {
    std::copy_n(store.values(held), store.unitSize(), journal.values(entry));
  }
}

}  // namespace polydomain
