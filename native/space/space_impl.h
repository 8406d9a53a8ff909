#pragma once

#include <map>
#include <memory>
#include <vector>

#include "cpu/chunks.h"
#include "mark.h"
#include "overlay.h"
#include "polydomain/space.h"
#include "region.h"

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

  // Calls body(i) for i in [0, count), each the work of one unit, on whatever threads there are.
  template <typename Body>
  void forUnits(int64_t count, int64_t unitSize, const Body& body) const {
    const auto range = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i);
    };
    if (pool_) {
      cpu::forChunks(*pool_, count, cpu::rowsPerChunk(unitSize), range);
    } else {
      range(0, count);
    }
  }

  // Where the value of a unit is kept that is about to change; nullptr: nowhere.
  UnitStore* keeperOf(int region, uint32_t unit);
  template <typename UnitAt>
  void touchAll(int region, int64_t count, const UnitAt& unitAt);

  // Saves the values of touched_; with an overlay, effective ones take their place.
  void keepTouched(int regionIndex);

  // A domain's own value of what is not trainable replaces the shared one.
  Combine combineOf(int region, uint32_t unit) const;

  // The specific values of a unit that an overlay does not hold.
  void startValues(OverlayId domain, int region, uint32_t unit, const float* base,
                   float* out) const;

  // value: in, the shared values; out, the effective ones.
  void combineUnit(OverlayId domain, int region, uint32_t unit, const UnitStore* store,
                   float* value) const;

  // Turns a region's effective values back into the open overlay's; what training left as it was
  // stays out. Makes the journal that it needs.
  void keepSpecific(size_t r, OverlayJournal*& journal);

  // Whether training moved a unit's effective value.
  bool changed(size_t r, uint32_t unit, const float* base, const UnitStore& store) const;
  void keepUnit(size_t r, uint32_t unit, const float* base, bool isNew, float* specific) const;

  // Saves a unit of an overlay, or that it was absent, unless it is saved already.
  void journalUnit(OverlayJournal& journal, const Overlay* overlay, size_t r, uint32_t unit);

  // Zeros for what is absent.
  static void saveUnit(const float* values, int64_t size, float* to);
  static void mergeInto(Mark& older, Mark& mark);
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
    for (int64_t i = 0; i < count; ++i) body(i);
  };
  template <typename Visit, typename Each>
  void visitShared(size_t index, const Selection* only, const Visit& visit, const Each& each);
  bool heldBetween(size_t begin, size_t end, size_t region, uint32_t unit) const;
  bool overlayHeldBetween(size_t begin, size_t end, OverlayId domain, size_t region,
                          uint32_t unit) const;
  template <typename Visit, typename Each>
  void visitOverlays(size_t index, const Selection* only, const Visit& visit, const Each& each);

  // Those of visited_.
  template <typename Visit, typename Each>
  void visitOverlay(OverlayId domain, size_t r, const OverlayJournal& journal, UnitStore& store,
                    const Visit& visit, const Each& each);

  std::vector<ParameterSpec> parameters_;
  uint64_t seed_;
  std::vector<Region> regions_;
  std::vector<int> regionOf_, blockParameter_;
  std::vector<int64_t> firstUnit_, unitCount_;

  std::vector<Mark> marks_;       // oldest first
  std::vector<UnitStore> spare_;  // what the last mark that ended saved in: the next one's
  MarkId nextMark_ = 1;

  Combine combine_ = Combine::kPlus;
  SpecificStart start_ = SpecificStart::kNeutral;
  Selection specific_;
  SpillMemory memory_;
  std::map<OverlayId, Overlay> overlays_;
  OverlayId active_ = -1;
  Overlay* open_ = nullptr;      // that of active_
  std::vector<UnitStore> base_;  // while an overlay is open: shared values of what was touched
  std::shared_ptr<ThreadPool> pool_;

  // What follows is kept between calls, so that they allocate nothing.
  std::vector<std::pair<UnitStore*, int64_t>> touched_;
  struct Kept {
    int64_t base, held,
        saved;  // entries: of base_, of the overlay, of the journal (kNone: not new there)
    bool isNew, changed;
  };
  std::vector<Kept> kept_;
  struct Visited {
    int64_t entry, held;  // of the journal, of the overlay
    bool isNew, gone;
  };
  std::vector<Visited> visited_;
};

}  // namespace polydomain
