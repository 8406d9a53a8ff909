// Values, marks and overlays to bytes and back.

#include "serialize.h"
#include "space_impl.h"

namespace polydomain {

namespace {

size_t bytesOf(const OwnJournal& journal) {
  return static_cast<size_t>(journal.unitSize()) * sizeof(float);
}

void writeOwn(const ParameterSpace::Write& write, const OwnJournal& journal) {
  writeUnits(write, journal);
  for (int64_t i = 0; i < journal.size(); ++i) {
    const float* values = journal.values(i);
    writeValue(write, static_cast<uint8_t>(values == nullptr));
    if (values != nullptr) write(values, bytesOf(journal));
  }
}

void readOwn(const ParameterSpace::Read& read, int64_t units, OwnJournal& journal) {
  UnitIndex saved(pageMemory());
  readUnits(read, units, [&](uint32_t unit) { return saved.place(unit).second; });
  for (int64_t i = 0; i < saved.size(); ++i) {
    const int64_t entry =
        journal.add(saved.unit(i), readValue<uint8_t>(read) != 0, UnitStore::kNone);
    if (float* values = journal.values(entry); values != nullptr) read(values, bytesOf(journal));
  }
}

}  // namespace

void ParameterSpace::Impl::save(const Write& write) const {
  requireClosed("save");
  writeValue(write, static_cast<int64_t>(regions_.size()));
  for (const Region& region : regions_) {
    writeValue(write, region.units);
    writeValue(write, region.unitSize);
    write(region.data(), static_cast<size_t>(region.units * region.unitSize) * sizeof(float));
  }
  writeValue(write, combine_);
  writeValue(write, start_);
  for (const bool flag : specific_) writeValue(write, static_cast<uint8_t>(flag));
  writeValue(write, static_cast<int64_t>(overlays_.size()));
  for (const auto& [id, overlay] : overlays_) {
    writeValue(write, id);
    overlay.use();
    for (const UnitStore& store : overlay.stores) writeStore(write, store);
  }
  writeValue(write, nextMark_);
  writeValue(write, static_cast<int64_t>(marks_.size()));
  for (const Mark& mark : marks_) {
    writeValue(write, mark.id);
    for (const UnitJournal& journal : mark.shared) writeStore(write, journal);
    writeValue(write, static_cast<int64_t>(mark.overlays.size()));
    for (const auto& [id, journal] : mark.overlays) {
      writeValue(write, id);
      journal.use();
      for (const OwnJournal& store : journal.stores) writeOwn(write, store);
    }
  }
}

void ParameterSpace::Impl::load(const Read& read) {
  requireClosed("load");
  requireEqual(readValue<int64_t>(read), static_cast<int64_t>(regions_.size()), "regions");
  for (const Region& region : regions_) {
    requireEqual(readValue<int64_t>(read), region.units, "units of a region");
    requireEqual(readValue<int64_t>(read), region.unitSize, "values of a unit");
    read(region.data(), static_cast<size_t>(region.units * region.unitSize) * sizeof(float));
  }
  combine_ = readValue<Combine>(read);
  start_ = readValue<SpecificStart>(read);
  for (size_t i = 0; i < specific_.size(); ++i) specific_[i] = readValue<uint8_t>(read) != 0;
  overlays_.clear();
  for (auto left = readValue<int64_t>(read); left > 0; --left) {
    Overlay& overlay = overlayOf(readValue<OverlayId>(read));
    for (size_t r = 0; r < regions_.size(); ++r) {
      readStore(read, regions_[r].units, overlay.stores[r]);
    }
  }
  nextMark_ = readValue<MarkId>(read);
  marks_.clear();
  for (auto left = readValue<int64_t>(read); left > 0; --left) {
    Mark& mark = marks_.emplace_back(readValue<MarkId>(read), emptyJournals());
    for (size_t r = 0; r < regions_.size(); ++r) {
      readStore(read, regions_[r].units, mark.shared[r]);
    }
    for (auto journals = readValue<int64_t>(read); journals > 0; --journals) {
      const auto id = readValue<OverlayId>(read);
      OverlayJournal& journal = journalOf(mark, id);
      for (size_t r = 0; r < regions_.size(); ++r) {
        readOwn(read, regions_[r].units, journal.stores[r]);
      }
    }
  }
}

}  // namespace polydomain
