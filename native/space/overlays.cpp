// Overlays: opened, closed and kept.

#include <algorithm>
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
  if (base_.empty()) {
    for (const Region& region : regions_) base_.emplace_back(region.unitSize);
  }
}

void ParameterSpace::Impl::close(bool keep) {
  if (active_ < 0) throw Error(ErrorKind::kConfig, "closeOverlay: no overlay is open");
  if (keep) open_->use();
  OverlayJournal* journal = nullptr;
  for (size_t r = 0; r < regions_.size(); ++r) {
    if (keep) keepSpecific(r, journal);
    UnitStore& base = base_[r];
    forUnits(base.size(), base.unitSize(), [&](int64_t entry) {
      std::copy_n(base.values(entry), base.unitSize(), regions_[r].unit(base.unit(entry)));
    });
    base.clear();
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
        journalUnit(journal, &found->second, r, store.unit(entry));
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
  if (!marks_.empty()) journalUnit(journalOf(marks_.back(), domain), find(domain), r, at);
  UnitStore& store = overlayOf(domain).stores[r];
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

void ParameterSpace::Impl::keepSpecific(size_t r, OverlayJournal*& journal) {
  const UnitStore& base = base_[r];
  UnitStore& store = open_->stores[r];
  const int64_t size = base.unitSize();
  kept_.resize(static_cast<size_t>(base.size()));
  forUnits(base.size(), size, [&](int64_t entry) {
    const uint32_t unit = base.unit(entry);
    Kept& one = kept_[static_cast<size_t>(entry)];
    one = {entry, store.find(unit), UnitStore::kNone, false, false};
    one.isNew = one.held == UnitStore::kNone;
    one.changed = changed(r, unit, base.values(entry), store);
  });
  std::erase_if(kept_, [](const Kept& one) { return !one.changed; });
  if (kept_.empty()) return;
  if (!marks_.empty()) {
    if (journal == nullptr) journal = &journalOf(marks_.back(), active_);
    journal->reserve(r, std::count_if(kept_.begin(), kept_.end(), [&](const Kept& one) {
                       return journal->stores[r].find(base.unit(one.base)) == UnitStore::kNone;
                     }));
  }
  store.reserve(
      std::count_if(kept_.begin(), kept_.end(), [](const Kept& one) { return one.isNew; }));
  for (Kept& one : kept_) {
    const uint32_t unit = base.unit(one.base);
    if (journal != nullptr && journal->stores[r].find(unit) == UnitStore::kNone) {
      one.saved = journal->add(r, unit, one.isNew);
    }
    if (one.isNew) one.held = store.place(unit).first;
  }
  forUnits(static_cast<int64_t>(kept_.size()), size, [&](int64_t i) {
    const Kept& one = kept_[static_cast<size_t>(i)];
    float* specific = store.values(one.held);
    if (one.saved != UnitStore::kNone) {
      saveUnit(one.isNew ? nullptr : specific, size, journal->stores[r].values(one.saved));
    }
    keepUnit(r, base.unit(one.base), base.values(one.base), one.isNew, specific);
  });
}

bool ParameterSpace::Impl::changed(size_t r, uint32_t unit, const float* base,
                                   const UnitStore& store) const {
  thread_local std::vector<float> before;
  const int64_t size = store.unitSize();
  before.assign(base, base + size);
  combineUnit(active_, static_cast<int>(r), unit, &store, before.data());
  return std::memcmp(before.data(), regions_[r].unit(unit),
                     static_cast<size_t>(size) * sizeof(float)) != 0;
}

void ParameterSpace::Impl::keepUnit(size_t r, uint32_t unit, const float* base, bool isNew,
                                    float* specific) const {
  const float* effective = regions_[r].unit(unit);
  if (isNew) startValues(active_, static_cast<int>(r), unit, base, specific);
  const Combine combine = combineOf(static_cast<int>(r), unit);
  for (int64_t i = 0; i < regions_[r].unitSize; ++i) {
    switch (combine) {
      case Combine::kPlus:
        specific[i] = effective[i] - base[i];
        break;
      case Combine::kTimes:
        // A shared zero hides its factor: it stays as it was.
        if (base[i] != 0.0f) specific[i] = effective[i] / base[i];
        break;
      case Combine::kReplace:
        specific[i] = effective[i];
        break;
    }
  }
}

void ParameterSpace::Impl::journalUnit(OverlayJournal& journal, const Overlay* overlay, size_t r,
                                       uint32_t unit) {
  if (journal.stores[r].find(unit) != UnitStore::kNone) return;
  const int64_t held = overlay == nullptr ? UnitStore::kNone : overlay->stores[r].find(unit);
  const bool absent = held == UnitStore::kNone;
  const int64_t entry = journal.add(r, unit, absent);
  saveUnit(absent ? nullptr : overlay->stores[r].values(held), regions_[r].unitSize,
           journal.stores[r].values(entry));
}

void ParameterSpace::Impl::saveUnit(const float* values, int64_t size, float* to) {
  if (values == nullptr) {
    std::fill_n(to, size, 0.0f);
  } else {
    std::copy_n(values, size, to);
  }
}

}  // namespace polydomain
