#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <vector>

#include "cpu/chunks.h"
#include "mark.h"
#include "overlay.h"
#include "polydomain/space.h"
#include "region.h"
#include "turns.h"

namespace polydomain {

class ParameterSpace::Impl {
 public:
  Impl(std::vector<ParameterSpec> parameters, uint64_t seed)
      : parameters_(std::move(parameters)), seed_(seed) {
    layOut();
    specific_.assign(parameters_.size(), true);
  }

  // --- Parameters and memory -----------------------------------------------------------------

  const std::vector<ParameterSpec>& parameters() const { return parameters_; }
  const std::vector<Region>& regions() const { return regions_; }
  int regionOf(int parameter) const { return regionOf_[static_cast<size_t>(parameter)]; }
  int64_t firstUnit(int parameter) const { return firstUnit_[static_cast<size_t>(parameter)]; }
  int64_t unitCount(int parameter) const { return unitCount_[static_cast<size_t>(parameter)]; }

  int find(const std::string& name) const;
  Selection select(const std::vector<std::string>& patterns) const;
  Selection trainable(Selection selection) const;
  int parameterOfUnit(int region, uint32_t unit) const {
    return region == 0 ? blockParameter_[unit] : regions_[static_cast<size_t>(region)].table;
  }

  void useThreads(std::shared_ptr<ThreadPool> pool) { pool_ = std::move(pool); }
  const std::shared_ptr<ThreadPool>& threads() const { return pool_; }

  void start(ThreadPool* pool);
  void moveRows(int parameter, std::span<const int32_t> from, ThreadPool& pool);

  // --- Writing ----------------------------------------------------------------------------------

  void touch(int region, std::span<const uint32_t> units);
  void touchDense(int parameter);

  // --- Marks ------------------------------------------------------------------------------------

  MarkId mark();
  void restore(MarkId id, const Selection* only);
  void lerp(MarkId id, float rate, const Selection* only);
  void release(MarkId id);
  int openMarks() const { return static_cast<int>(marks_.size()); }

  int64_t savedUnits(MarkId id) const;

  // The shared units that changed since a mark, with what they were. visit returns nothing.
  void visitSharedChanges(MarkId id, const Selection* only,
                          const std::function<void(const Change&)>& visit);
  void visitOverlayWay(MarkId id, OverlayId domain,
                       const std::function<void(int, uint32_t, const float*)>& visit);

  // --- Overlays ---------------------------------------------------------------------------------

  void configure(Combine combine, SpecificStart start, const Selection& wanted);
  Combine combine() const { return combine_; }
  bool overlayOpen() const { return active_ >= 0; }
  bool hasOverlay(OverlayId domain) const { return overlays_.contains(domain); }

  void open(OverlayId domain);
  void close(bool keep);
  void drop(OverlayId domain);
  std::vector<OverlayId> overlays() const;
  int64_t overlayUnits(OverlayId domain) const;
  int64_t overlayBytes() const;
  void limit(const std::string& folder, int64_t budget);
  int64_t spilledBytes() const { return memory_ ? memory_->bytes() : 0; }

  void gather(int region, OverlayId domain, std::span<const int32_t> units, float* out,
              int64_t stride) const;
  void gatherDense(OverlayId domain, float* out) const;
  bool owns(OverlayId domain, int parameter) const;
  void visitOverlay(OverlayId domain, int parameter,
                    const std::function<void(uint32_t, std::span<const float>)>& visit) const;
  void setOverlayUnit(OverlayId domain, int parameter, uint32_t unit,
                      std::span<const float> values);

  // --- Bytes ------------------------------------------------------------------------------------

  void save(const Write& write) const;
  void load(const Read& read);

 private:
  void layOut();

  // Draws `count` values of a parameter's start, from `first` on.
  void fill(int parameter, int64_t first, int64_t count, ThreadPool* pool) const;

  // Domains' own values follow their rows; those of rows that go nowhere are dropped.
  void moveOwnRows(size_t region, const std::vector<int32_t>& to);

  // The start of a parameter's values from `first` on.
  void draw(const ParameterSpec& spec, int64_t first, int64_t count, float* out) const;
  void requireClosed(const char* operation) const;
  size_t indexOf(const char* operation, MarkId id) const;

  // A domain's overlay, which exists from then on.
  Overlay& overlayOf(OverlayId domain);
  const Overlay* find(OverlayId domain) const;
  OverlayJournal& journalOf(Mark& mark, OverlayId domain);

  std::vector<UnitJournal> emptyJournals() const;

  // Calls body(begin, end) for ranges of [0, count), each the work of one unit, on whatever threads
  // there are.
  template <typename Body>
  void forRanges(int64_t count, int64_t unitSize, const Body& body) const {
    if (pool_) {
      cpu::forChunks(*pool_, count, cpu::rowsPerChunk(unitSize), body);
    } else if (count > 0) {
      body(int64_t{0}, count);
    }
  }

  // Calls body(begin, end, turn) for pieces of [0, count), each the work of one unit, on whatever
  // threads there are. Small pieces, too, are worth sharing: units are found in no order.
  template <typename Body>
  void forPieces(int64_t count, int64_t unitSize, const Body& body) const {
    constexpr int64_t kPieces = 16, kLeast = 4096, kMost = 16 * kLeast;  // of them; floats
    const int64_t size = std::clamp(count / kPieces, std::max<int64_t>(1, kLeast / unitSize),
                                    std::max<int64_t>(1, kMost / unitSize));
    Turns turns;
    const auto piece = [&](int64_t index) {
      Turns::Turn turn(turns, index);
      body(index * size, std::min(count, (index + 1) * size), turn);
    };
    const int64_t pieces = cpu::chunkCount(count, size);
    if (pool_) {
      pool_->parallelFor(pieces, [&](int64_t index, int) { piece(index); });
    } else {
      for (int64_t index = 0; index < pieces; ++index) piece(index);
    }
  }

  static constexpr int64_t kWholeRuns = std::numeric_limits<int64_t>::max();

  // Calls body(entry, count) for the entries in [begin, end) of a journal, those of at most `most`
  // units of one parameter that lie one behind the other in the region and in the journal together.
  template <typename Body>
  void forRuns(size_t r, const UnitJournal& journal, int64_t begin, int64_t end, int64_t most,
               const Body& body) const {
    const Region& region = regions_[r];
    const int64_t ahead = unitsAhead(region.unitSize);
    for (int64_t entry = begin; entry < end;) {
      if (entry + ahead < end)
        prefetchUnit(region.unit(journal.unit(entry + ahead)), region.unitSize);
      const uint32_t unit = journal.unit(entry);
      const int parameter = parameterOfUnit(static_cast<int>(r), unit);
      const int64_t longest =
          std::min({most, end - entry, journal.room(entry),
                    firstUnit(parameter) + unitCount(parameter) - static_cast<int64_t>(unit)});
      int64_t count = 1;
      while (count < longest && journal.unit(entry + count) == unit + count) ++count;
      body(entry, count);
      entry += count;
    }
  }

  // Announces units of a parameter; add(journal, begin, end) adds a range of them to its journal.
  template <typename Add>
  void keep(int parameter, int64_t count, const Add& add);
  // Saves the values of a journal's units.
  void saveUnits(size_t r, UnitJournal& journal, int64_t begin, int64_t end) const;
  // Saves shared values of base_; the effective ones take their place.
  void formEffective(size_t r, int64_t begin, int64_t end);

  // A domain's own value of what is not trainable replaces the shared one.
  Combine combineOf(size_t r, uint32_t unit) const {
    const auto parameter = static_cast<size_t>(parameterOfUnit(static_cast<int>(r), unit));
    return parameters_[parameter].trainable ? combine_ : Combine::kReplace;
  }

  // The specific values of a unit that an overlay does not hold.
  void startValues(OverlayId domain, int region, uint32_t unit, const float* base,
                   float* out) const;

  // Whether startValues change nothing.
  bool startsNeutral(Combine combine) const {
    return start_ == SpecificStart::kNeutral || combine == Combine::kReplace;
  }
  static const float* ownValues(const UnitStore& store, uint32_t unit) {
    const int64_t entry = store.find(unit);
    return entry == UnitStore::kNone ? nullptr : store.values(entry);
  }
  // value: in, the shared values; out, the effective ones. specific: null where the overlay has
  // none.
  void combineUnit(OverlayId domain, int region, uint32_t unit, const float* specific,
                   float* value) const;

  // Puts the shared values of what was touched into place again.
  void restoreShared(size_t r) const;
  // The same behind turning a region's effective values back into the open overlay's; what training
  // left as it was stays out. A mark's journal gets what they were.
  void keepSpecific(size_t r, OwnJournal* journal);
  // What becomes of a unit of base_.
  struct Kept {
    float *specific, *saved;  // null: none yet; not to be saved
    bool isNew, changed;
  };
  // Makes room in overlay and journal for all that base_ may bring.
  void reserveKept(size_t r, OwnJournal* journal);
  void findChanged(size_t r, int64_t begin, std::span<Kept> kept) const;
  void placeKept(size_t r, int64_t begin, std::span<Kept> kept, OwnJournal* journal);
  void keepUnits(size_t r, int64_t begin, std::span<const Kept> kept) const;
  // Whether training moved a unit's effective value; specific: null where there is none yet.
  bool changed(size_t r, Combine combine, uint32_t unit, const float* base,
               const float* specific) const;

  // Saves a unit of an overlay, or that it was absent, unless it is saved already.
  static void journalUnit(OwnJournal& journal, const UnitStore& store, uint32_t unit);

  void mergeInto(Mark& older, Mark& mark);
  void mergeShared(UnitJournal& into, const UnitJournal& from);
  void mergeOwn(OwnJournal& into, const OwnJournal& from);
  bool selected(const Selection* only, int region, uint32_t unit) const {
    return only == nullptr || (*only)[static_cast<size_t>(parameterOfUnit(region, unit))];
  }

  // Calls visit(change) for every unit, shared or of an overlay, that changed since the mark, with
  // its oldest value since then, on whatever threads there are. The change is itself journalled. An
  // overlay unit whose visit returns false is removed.
  template <typename Visit>
  void forEachChange(const char* operation, MarkId id, const Selection* only, const Visit& visit);

  // One after the other.
  static constexpr auto kInOrder = [](int64_t count, int64_t, const auto& body) {
    body(int64_t{0}, count);
  };
  template <typename Visit, typename Each>
  void visitShared(size_t index, const Selection* only, int64_t mostUnits, const Visit& visit,
                   const Each& each);
  bool heldBetween(size_t begin, size_t end, size_t region, uint32_t unit) const;
  bool overlayHeldBetween(size_t begin, size_t end, OverlayId domain, size_t region,
                          uint32_t unit) const;
  template <typename Visit, typename Each>
  void visitOverlays(size_t index, const Selection* only, const Visit& visit, const Each& each);

  // The units of the journal's entries found_: those that the overlay lacks come back as they
  // start.
  template <typename Each>
  void placeVisited(OverlayId domain, size_t r, const OwnJournal& journal, UnitStore& store,
                    const Each& each);
  template <typename Visit, typename Each>
  void visitOverlay(OverlayId domain, size_t r, const OwnJournal& journal, UnitStore& store,
                    const Visit& visit, const Each& each);

  std::vector<ParameterSpec> parameters_;
  uint64_t seed_;
  std::vector<Region> regions_;
  std::vector<int> regionOf_, blockParameter_;
  std::vector<int64_t> firstUnit_, unitCount_;

  std::vector<Mark> marks_;  // oldest first
  // Journals of marks that ended, for the next ones.
  static constexpr size_t kSpare = 2;
  std::vector<std::vector<UnitJournal>> spare_;
  MarkId nextMark_ = 1;

  Combine combine_ = Combine::kPlus;
  SpecificStart start_ = SpecificStart::kNeutral;
  Selection specific_;
  SpillMemory memory_;
  std::map<OverlayId, Overlay> overlays_;
  OverlayId active_ = -1;
  Overlay* open_ = nullptr;  // that of active_
  // While it is open, by region: shared values of what was touched, and its own entries of that.
  std::vector<UnitJournal> base_;
  std::vector<std::vector<int64_t>> held_;
  std::shared_ptr<ThreadPool> pool_;

  // What follows is kept between calls, so that they allocate nothing.
  std::vector<int64_t> found_;  // entries
  std::vector<uint8_t> gone_;   // by found_
};

}  // namespace polydomain
