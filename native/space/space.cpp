#include "polydomain/space.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cpu/chunks.h"
#include "moved_rows.h"
#include "polydomain/error.h"
#include "serialize.h"
#include "spill_file.h"
#include "unit_store.h"

namespace polydomain {

namespace {

constexpr float kRandomStartDeviation = 0.01f;
constexpr int64_t kFilledAtOnce = 1 << 18;  // weights that start as one thread's work

struct Region {
  int64_t units = 0;
  int64_t unitSize = 0;
  int table = -1;  // its parameter; -1: the dense slab
  std::shared_ptr<Storage> memory;
  float* data() const { return static_cast<float*>(memory->data()); }
  float* unit(uint32_t index) const { return data() + index * unitSize; }
};

using SpillMemory = std::shared_ptr<SpillFile>;  // empty: values stay in memory

// A domain's own values.
class Overlay {
 public:
  Overlay(const std::vector<Region>& regions, const SpillMemory& memory)
      : part_(memory ? std::make_unique<SpillFile::Part>(memory) : nullptr) {
    for (const Region& region : regions) stores.emplace_back(region.unitSize, resource());
  }
  // A copy in other memory.
  Overlay(const Overlay& other, const SpillMemory& memory)
      : part_(memory ? std::make_unique<SpillFile::Part>(memory) : nullptr) {
    for (const UnitStore& store : other.stores) stores.emplace_back(store, resource());
  }
  Overlay(Overlay&&) = default;
  Overlay& operator=(Overlay&&) = delete;
  ~Overlay() = default;

  // Before reading or writing; values last used are the last to leave memory.
  void use() const {
    if (part_) part_->use();
  }
  std::pmr::memory_resource* resource() const {
    return part_ ? part_.get() : std::pmr::get_default_resource();
  }
  bool empty() const {
    return std::all_of(stores.begin(), stores.end(),
                       [](const UnitStore& store) { return store.empty(); });
  }
  int64_t units() const {
    return std::accumulate(stores.begin(), stores.end(), int64_t{0},
                           [](int64_t sum, const UnitStore& store) { return sum + store.size(); });
  }

 private:
  std::unique_ptr<SpillFile::Part> part_;  // before what allocates from it

 public:
  std::vector<UnitStore> stores;  // by region
};

// What one overlay's units were when a mark was opened; an absent one has no values.
struct OverlayJournal : Overlay {
  OverlayJournal(const std::vector<Region>& regions, const SpillMemory& memory)
      : Overlay(regions, memory) {
    for (size_t r = 0; r < regions.size(); ++r) absent.emplace_back(resource());
  }
  // Adds a unit that it does not hold; returns its entry, whose values are still to be written.
  int64_t add(size_t region, uint32_t unit, uint8_t wasAbsent) {
    absent[region].resize(static_cast<size_t>(stores[region].size()) + 1);
    absent[region].back() = wasAbsent;
    return stores[region].place(unit).first;
  }
  // Adding so many units to a region needs no more memory then.
  void reserve(size_t region, int64_t more) {
    stores[region].reserve(more);
    const size_t needed = absent[region].size() + static_cast<size_t>(more);
    if (needed > absent[region].capacity()) absent[region].reserve(needed + needed / 4);
  }
  std::vector<std::pmr::vector<uint8_t>> absent;  // by region and entry
};

struct Mark {
  Mark(MarkId markId, const std::vector<Region>& regions) : id(markId) {
    for (const Region& region : regions) shared.emplace_back(region.unitSize);
  }
  // Memory stays, for what is saved next.
  void clear() {
    for (UnitStore& store : shared) store.clear();
    overlays.clear();
  }
  MarkId id;
  std::vector<UnitStore> shared;  // by region: values when the mark was opened
  std::map<OverlayId, OverlayJournal> overlays;
};

bool globMatches(const char* pattern, const char* text) {
  if (*pattern == '\0') return *text == '\0';
  if (*pattern == '*') {
    return globMatches(pattern + 1, text) || (*text != '\0' && globMatches(pattern, text + 1));
  }
  return *text == *pattern && globMatches(pattern + 1, text + 1);
}

size_t commonPrefix(const std::string& a, const std::string& b) {
  size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  return i;
}

}  // namespace

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

  int find(const std::string& name) const {
    size_t nearest = 0;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      if (parameters_[i].name == name) return static_cast<int>(i);
      if (commonPrefix(parameters_[i].name, name) > commonPrefix(parameters_[nearest].name, name)) {
        nearest = i;
      }
    }
    throw Error(ErrorKind::kConfig,
                "unknown parameter '" + name + "'" +
                    (parameters_.empty() ? std::string()
                                         : "; the nearest is '" + parameters_[nearest].name + "'"));
  }

  Selection select(const std::vector<std::string>& patterns) const {
    Selection selection(parameters_.size(), false);
    for (const std::string& pattern : patterns) {
      const bool excludes = pattern.starts_with('!');
      const std::string glob = excludes ? pattern.substr(1) : pattern;
      if (excludes && &pattern == &patterns.front()) selection.assign(parameters_.size(), true);
      bool any = false;
      for (size_t i = 0; i < parameters_.size(); ++i) {
        if (glob != "all" && !globMatches(glob.c_str(), parameters_[i].name.c_str())) continue;
        selection[i] = !excludes;
        any = true;
      }
      if (any) continue;
      std::string known;
      for (const ParameterSpec& spec : parameters_) known += " '" + spec.name + "'";
      throw Error(ErrorKind::kConfig,
                  "pattern '" + pattern + "' matches no parameter; there are" + known);
    }
    return selection;
  }

  Selection trainable(Selection selection) const {
    if (selection.empty()) selection.assign(parameters_.size(), true);
    for (size_t i = 0; i < parameters_.size(); ++i) {
      selection[i] = selection[i] && parameters_[i].trainable;
    }
    return selection;
  }

  int parameterOfUnit(int region, uint32_t unit) const {
    return region == 0 ? blockParameter_[unit] : regions_[static_cast<size_t>(region)].table;
  }

  void useThreads(std::shared_ptr<ThreadPool> pool) { pool_ = std::move(pool); }
  const std::shared_ptr<ThreadPool>& threads() const { return pool_; }

  void start(ThreadPool* pool) {
    for (size_t p = 0; p < parameters_.size(); ++p) {
      fill(static_cast<int>(p), 0, elementCount(parameters_[p].shape), pool);
    }
  }

  void moveRows(int parameter, std::span<const int32_t> from, ThreadPool& pool) {
    requireClosed("moveRows");
    ParameterSpec& spec = parameters_[static_cast<size_t>(parameter)];
    if (spec.kind != ParameterKind::kTable || from.empty() || !marks_.empty()) {
      throw Error(ErrorKind::kConfig, "moveRows of '" + spec.name + "' to " +
                                          std::to_string(from.size()) + " rows with " +
                                          std::to_string(marks_.size()) +
                                          " open marks; expected a table, rows and no mark");
    }
    const auto r = static_cast<size_t>(regionOf(parameter));
    Region& region = regions_[r];
    const std::vector<int32_t> to = destinations(from, region.units);
    polydomain::moveRows(*region.memory, region.unitSize, from);
    region.units = static_cast<int64_t>(from.size());
    spec.shape[0] = region.units;
    unitCount_[static_cast<size_t>(parameter)] = region.units;
    for (auto next = from.begin(); next != from.end();) {
      const auto first = std::find(next, from.end(), kNewRow);
      next = std::find_if(first, from.end(), [](int32_t row) { return row != kNewRow; });
      fill(parameter, (first - from.begin()) * region.unitSize, (next - first) * region.unitSize,
           &pool);
    }
    moveOwnRows(r, to);
  }

  // --- Writing ----------------------------------------------------------------------------------

  void touch(int region, std::span<const uint32_t> units) {
    touchAll(region, static_cast<int64_t>(units.size()),
             [&](int64_t i) { return units[static_cast<size_t>(i)]; });
  }

  void touchDense(int parameter) {
    const int64_t first = firstUnit(parameter);
    touchAll(0, unitCount(parameter),
             [&](int64_t block) { return static_cast<uint32_t>(first + block); });
  }

  // --- Marks ------------------------------------------------------------------------------------

  MarkId mark() {
    requireClosed("mark");
    marks_.emplace_back(nextMark_++, regions_);
    if (!spare_.empty()) marks_.back().shared = std::move(spare_);
    spare_.clear();
    return marks_.back().id;
  }

  void restore(MarkId id, const Selection* only) {
    forEachChange("restore", id, only, [](const Change& change) {
      if (change.wasAbsent) return false;
      std::memcpy(change.value, change.saved, static_cast<size_t>(change.size) * sizeof(float));
      return true;
    });
    if (marks_.back().id == id && only == nullptr) marks_.back().clear();
  }

  void lerp(MarkId id, float rate, const Selection* only) {
    const Selection trained = trainable(only == nullptr ? Selection{} : *only);
    forEachChange("lerp", id, &trained, [&](const Change& change) {
      for (int64_t i = 0; i < change.size; ++i) {
        change.value[i] = change.saved[i] + rate * (change.value[i] - change.saved[i]);
      }
      return true;
    });
  }

  void release(MarkId id) {
    const size_t index = indexOf("release", id);
    // It ends whatever happens.
    Mark mark = std::move(marks_[index]);
    marks_.erase(marks_.begin() + static_cast<std::ptrdiff_t>(index));
    if (index > 0) mergeInto(marks_[index - 1], mark);
    mark.clear();
    spare_ = std::move(mark.shared);
  }

  int openMarks() const { return static_cast<int>(marks_.size()); }

  int64_t savedUnits(MarkId id) const {
    int64_t count = 0;
    for (const Mark& mark : marks_) {
      if (mark.id != id) continue;
      for (const UnitStore& store : mark.shared) count += store.size();
      for (const auto& [domain, journal] : mark.overlays) count += journal.units();
    }
    return count;
  }

  // The shared units that changed since a mark, with what they were. visit returns nothing.
  void visitSharedChanges(MarkId id, const Selection* only,
                          const std::function<void(const Change&)>& visit) {
    requireClosed("outerStep");
    const Selection trained = only == nullptr ? trainable({}) : trainable(*only);
    const auto index = indexOf("outerStep", id);
    visitShared(index, &trained, visit, kInOrder);
  }

  void visitOverlayWay(MarkId id, OverlayId domain,
                       const std::function<void(int, uint32_t, const float*)>& visit) {
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

  // --- Overlays ---------------------------------------------------------------------------------

  void configure(Combine combine, SpecificStart start, const Selection& wanted) {
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

  Combine combine() const { return combine_; }
  bool overlayOpen() const { return active_ >= 0; }
  bool hasOverlay(OverlayId domain) const { return overlays_.contains(domain); }

  void open(OverlayId domain) {
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

  void close(bool keep) {
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

  void drop(OverlayId domain) {
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

  std::vector<OverlayId> overlays() const {
    std::vector<OverlayId> ids;
    for (const auto& [id, overlay] : overlays_) ids.push_back(id);
    return ids;
  }

  int64_t overlayUnits(OverlayId domain) const {
    const auto found = overlays_.find(domain);
    return found == overlays_.end() ? 0 : found->second.units();
  }

  int64_t overlayBytes() const {
    int64_t bytes = 0;
    for (const auto& [id, overlay] : overlays_) {
      for (const UnitStore& store : overlay.stores) bytes += store.bytes();
    }
    return bytes;
  }

  void limit(const std::string& folder, int64_t budget) {
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

  int64_t spilledBytes() const { return memory_ ? memory_->bytes() : 0; }

  void gather(int region, OverlayId domain, std::span<const int32_t> units, float* out,
              int64_t stride) const {
    const Region& from = regions_[static_cast<size_t>(region)];
    const bool specific = specific_[static_cast<size_t>(parameterOfUnit(region, 0))];
    const Overlay* overlay = specific ? find(domain) : nullptr;
    const UnitStore* store =
        overlay != nullptr ? &overlay->stores[static_cast<size_t>(region)] : nullptr;
    for (size_t i = 0; i < units.size(); ++i) {
      float* to = out + static_cast<int64_t>(i) * stride;
      const auto unit = static_cast<uint32_t>(units[i]);
      std::memcpy(to, from.unit(unit), static_cast<size_t>(from.unitSize) * sizeof(float));
      if (store != nullptr) combineUnit(domain, region, unit, store, to);
    }
  }

  void gatherDense(OverlayId domain, float* out) const {
    const Region& slab = regions_[0];
    std::copy_n(slab.data(), slab.units * kDenseBlock, out);
    const Overlay* overlay = find(domain);
    if (overlay == nullptr) return;
    for (int64_t block = 0; block < slab.units; ++block) {
      const auto unit = static_cast<uint32_t>(block);
      if (!specific_[static_cast<size_t>(blockParameter_[unit])]) continue;
      combineUnit(domain, 0, unit, &overlay->stores[0], out + block * kDenseBlock);
    }
  }

  void visitOverlay(OverlayId domain, int parameter,
                    const std::function<void(uint32_t, std::span<const float>)>& visit) const {
    const Overlay* overlay = find(domain);
    if (overlay == nullptr) return;
    const int region = regionOf(parameter);
    const UnitStore& store = overlay->stores[static_cast<size_t>(region)];
    std::vector<int64_t> entries;
    for (int64_t entry = 0; entry < store.size(); ++entry) {
      if (parameterOfUnit(region, store.unit(entry)) == parameter) entries.push_back(entry);
    }
    std::sort(entries.begin(), entries.end(),
              [&](int64_t a, int64_t b) { return store.unit(a) < store.unit(b); });
    for (const int64_t entry : entries) {
      visit(static_cast<uint32_t>(store.unit(entry) - firstUnit(parameter)),
            {store.values(entry), static_cast<size_t>(store.unitSize())});
    }
  }

  void setOverlayUnit(OverlayId domain, int parameter, uint32_t unit,
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

  // --- Bytes
  // --------------------------------------------------------------------------------------

  void save(const Write& write) const {
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
      for (const UnitStore& store : mark.shared) writeStore(write, store);
      writeValue(write, static_cast<int64_t>(mark.overlays.size()));
      for (const auto& [id, journal] : mark.overlays) {
        writeValue(write, id);
        journal.use();
        for (size_t r = 0; r < regions_.size(); ++r) {
          writeStore(write, journal.stores[r]);
          write(journal.absent[r].data(), journal.absent[r].size());
        }
      }
    }
  }

  void load(const Read& read) {
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
      Mark& mark = marks_.emplace_back(readValue<MarkId>(read), regions_);
      for (size_t r = 0; r < regions_.size(); ++r) {
        readStore(read, regions_[r].units, mark.shared[r]);
      }
      for (auto journals = readValue<int64_t>(read); journals > 0; --journals) {
        const auto id = readValue<OverlayId>(read);
        OverlayJournal& journal = journalOf(mark, id);
        for (size_t r = 0; r < regions_.size(); ++r) {
          readStore(read, regions_[r].units, journal.stores[r]);
          journal.absent[r].resize(static_cast<size_t>(journal.stores[r].size()));
          read(journal.absent[r].data(), journal.absent[r].size());
        }
      }
    }
  }

 private:
  void layOut() {
    int64_t blocks = 0;
    regions_.emplace_back();
    for (size_t p = 0; p < parameters_.size(); ++p) {
      const ParameterSpec& spec = parameters_[p];
      for (size_t q = 0; q < p; ++q) {
        if (parameters_[q].name == spec.name) {
          throw Error(ErrorKind::kConfig, "two parameters are named '" + spec.name + "'");
        }
      }
      const int64_t count = elementCount(spec.shape);
      if (count <= 0 || (spec.kind == ParameterKind::kTable && spec.shape.size() != 2)) {
        throw Error(ErrorKind::kShape, "parameter '" + spec.name + "' " + toString(spec.shape) +
                                           "; expected sizes above 0, and [rows, dim] of a table");
      }
      if (spec.kind == ParameterKind::kTable) {
        regionOf_.push_back(static_cast<int>(regions_.size()));
        firstUnit_.push_back(0);
        unitCount_.push_back(spec.shape[0]);
        regions_.push_back({spec.shape[0], spec.shape[1], static_cast<int>(p), nullptr});
      } else {
        const int64_t own = (count + kDenseBlock - 1) / kDenseBlock;
        regionOf_.push_back(0);
        firstUnit_.push_back(blocks);
        unitCount_.push_back(own);
        blockParameter_.insert(blockParameter_.end(), static_cast<size_t>(own),
                               static_cast<int>(p));
        blocks += own;
      }
    }
    regions_[0].units = blocks;
    regions_[0].unitSize = kDenseBlock;
    for (Region& region : regions_) {
      region.memory =
          Storage::allocate(static_cast<size_t>(region.units * region.unitSize) * sizeof(float));
    }
  }

  // Draws `count` values of a parameter's start, from `first` on.
  void fill(int parameter, int64_t first, int64_t count, ThreadPool* pool) const {
    const Region& region = regions_[static_cast<size_t>(regionOf(parameter))];
    float* to = region.data() + firstUnit(parameter) * region.unitSize;
    const auto fillChunk = [&](int64_t chunk, int) {
      const int64_t begin = first + chunk * kFilledAtOnce;
      draw(parameters_[static_cast<size_t>(parameter)], begin,
           std::min(kFilledAtOnce, first + count - begin), to + begin);
    };
    const int64_t chunks = (count + kFilledAtOnce - 1) / kFilledAtOnce;
    if (pool != nullptr) {
      pool->parallelFor(chunks, fillChunk);
    } else {
      for (int64_t chunk = 0; chunk < chunks; ++chunk) fillChunk(chunk, 0);
    }
  }

  // Domains' own values follow their rows; those of rows that go nowhere are dropped.
  void moveOwnRows(size_t region, const std::vector<int32_t>& to) {
    const auto stays = [&](uint32_t unit) { return to[unit] == static_cast<int32_t>(unit); };
    for (auto place = overlays_.begin(); place != overlays_.end();) {
      Overlay& overlay = place->second;
      overlay.use();
      UnitStore& store = overlay.stores[region];
      bool same = true;
      for (int64_t entry = 0; entry < store.size(); ++entry) {
        same = same && stays(store.unit(entry));
      }
      if (!same) {
        UnitStore moved(store.unitSize(), overlay.resource());
        moved.reserve(store.size());
        for (int64_t entry = 0; entry < store.size(); ++entry) {
          const int32_t row = to[store.unit(entry)];
          if (row == kNewRow) continue;
          std::copy_n(store.values(entry), store.unitSize(),
                      moved.values(moved.insert(static_cast<uint32_t>(row)).first));
        }
        store = std::move(moved);
      }
      place = overlay.empty() ? overlays_.erase(place) : std::next(place);
    }
  }

  // The start of a parameter's values from `first` on.
  void draw(const ParameterSpec& spec, int64_t first, int64_t count, float* out) const {
    const RandomKey key{seed_, streamOf(spec.name), 0};
    const auto [kind, a, b] = spec.initializer;
    switch (kind) {
      case InitKind::kZeros:
        break;  // as allocated
      case InitKind::kConstant:
        std::fill_n(out, count, a);
        break;
      case InitKind::kUniform:
        fillUniform(key, static_cast<uint64_t>(first), count, a, b, out);
        break;
      case InitKind::kNormal:
        fillNormal(key, static_cast<uint64_t>(first), count, a, b, out);
        break;
    }
  }

  void requireClosed(const char* operation) const {
    if (active_ < 0) return;
    throw Error(ErrorKind::kConfig, std::string(operation) + ": the overlay of domain " +
                                        std::to_string(active_) +
                                        " is open; expected it to be closed before");
  }

  size_t indexOf(const char* operation, MarkId id) const {
    for (size_t i = 0; i < marks_.size(); ++i) {
      if (marks_[i].id == id) return i;
    }
    throw Error(ErrorKind::kConfig,
                std::string(operation) + ": mark " + std::to_string(id) + " is not open");
  }

  // A domain's overlay, which exists from then on.
  Overlay& overlayOf(OverlayId domain) {
    Overlay& overlay = overlays_.try_emplace(domain, regions_, memory_).first->second;
    overlay.use();
    return overlay;
  }

  const Overlay* find(OverlayId domain) const {
    const auto found = overlays_.find(domain);
    if (found == overlays_.end()) return nullptr;
    found->second.use();
    return &found->second;
  }

  OverlayJournal& journalOf(Mark& mark, OverlayId domain) {
    OverlayJournal& journal = mark.overlays.try_emplace(domain, regions_, memory_).first->second;
    journal.use();
    return journal;
  }

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
  UnitStore* keeperOf(int region, uint32_t unit) {
    const auto r = static_cast<size_t>(region);
    if (active_ >= 0 && specific_[static_cast<size_t>(parameterOfUnit(region, unit))]) {
      return &base_[r];
    }
    return marks_.empty() ? nullptr : &marks_.back().shared[r];
  }

  template <typename UnitAt>
  void touchAll(int region, int64_t count, const UnitAt& unitAt) {
    if (marks_.empty() && active_ < 0) return;
    touched_.clear();
    try {
      for (int64_t i = 0; i < count; ++i) {
        UnitStore* keeper = keeperOf(region, unitAt(i));
        if (keeper == nullptr) continue;
        const auto [entry, isNew] = keeper->place(unitAt(i));
        if (isNew) touched_.emplace_back(keeper, entry);
      }
    } catch (...) {
      keepTouched(region);
      throw;
    }
    keepTouched(region);
  }

  // Saves the values of touched_; with an overlay, effective ones take their place.
  void keepTouched(int regionIndex) {
    const auto r = static_cast<size_t>(regionIndex);
    const Region& region = regions_[r];
    forUnits(static_cast<int64_t>(touched_.size()), region.unitSize, [&](int64_t i) {
      const auto [keeper, entry] = touched_[static_cast<size_t>(i)];
      const uint32_t unit = keeper->unit(entry);
      float* value = region.unit(unit);
      std::copy_n(value, region.unitSize, keeper->values(entry));
      if (active_ >= 0 && keeper == &base_[r])
        combineUnit(active_, regionIndex, unit, &open_->stores[r], value);
    });
  }

  // A domain's own value of what is not trainable replaces the shared one.
  Combine combineOf(int region, uint32_t unit) const {
    const auto parameter = static_cast<size_t>(parameterOfUnit(region, unit));
    return parameters_[parameter].trainable ? combine_ : Combine::kReplace;
  }

  // The specific values of a unit that an overlay does not hold.
  void startValues(OverlayId domain, int region, uint32_t unit, const float* base,
                   float* out) const {
    const int64_t size = regions_[static_cast<size_t>(region)].unitSize;
    if (combineOf(region, unit) == Combine::kReplace) {
      std::copy_n(base, size, out);
      return;
    }
    std::fill_n(out, size, combine_ == Combine::kTimes ? 1.0f : 0.0f);
    if (start_ == SpecificStart::kNeutral) return;
    const int parameter = parameterOfUnit(region, unit);
    const RandomKey key{seed_, streamOf(parameters_[static_cast<size_t>(parameter)].name),
                        static_cast<uint64_t>(domain) + 1};
    const auto first = static_cast<uint64_t>((unit - firstUnit(parameter)) * size);
    fillNormal(key, first, size, combine_ == Combine::kTimes ? 1.0f : 0.0f, kRandomStartDeviation,
               out);
  }

  // value: in, the shared values; out, the effective ones.
  void combineUnit(OverlayId domain, int region, uint32_t unit, const UnitStore* store,
                   float* value) const {
    const int64_t entry = store->find(unit);
    const Combine combine = combineOf(region, unit);
    const bool neutral = start_ == SpecificStart::kNeutral || combine == Combine::kReplace;
    if (entry == UnitStore::kNone && neutral) return;
    const int64_t size = regions_[static_cast<size_t>(region)].unitSize;
    std::vector<float> start;
    const float* specific = nullptr;
    if (entry == UnitStore::kNone) {
      start.resize(static_cast<size_t>(size));
      startValues(domain, region, unit, value, start.data());
      specific = start.data();
    } else {
      specific = store->values(entry);
    }
    switch (combine) {
      case Combine::kPlus:
        for (int64_t i = 0; i < size; ++i) value[i] += specific[i];
        break;
      case Combine::kTimes:
        for (int64_t i = 0; i < size; ++i) value[i] *= specific[i];
        break;
      case Combine::kReplace:
        std::copy_n(specific, size, value);
        break;
    }
  }

  // Turns a region's effective values back into the open overlay's; what training left as it was
  // stays out. Makes the journal that it needs.
  void keepSpecific(size_t r, OverlayJournal*& journal) {
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

  // Whether training moved a unit's effective value.
  bool changed(size_t r, uint32_t unit, const float* base, const UnitStore& store) const {
    thread_local std::vector<float> before;
    const int64_t size = store.unitSize();
    before.assign(base, base + size);
    combineUnit(active_, static_cast<int>(r), unit, &store, before.data());
    return std::memcmp(before.data(), regions_[r].unit(unit),
                       static_cast<size_t>(size) * sizeof(float)) != 0;
  }

  void keepUnit(size_t r, uint32_t unit, const float* base, bool isNew, float* specific) const {
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

  // Saves a unit of an overlay, or that it was absent, unless it is saved already.
  void journalUnit(OverlayJournal& journal, const Overlay* overlay, size_t r, uint32_t unit) {
    if (journal.stores[r].find(unit) != UnitStore::kNone) return;
    const int64_t held = overlay == nullptr ? UnitStore::kNone : overlay->stores[r].find(unit);
    const bool absent = held == UnitStore::kNone;
    const int64_t entry = journal.add(r, unit, absent);
    saveUnit(absent ? nullptr : overlay->stores[r].values(held), regions_[r].unitSize,
             journal.stores[r].values(entry));
  }

  // Zeros for what is absent.
  static void saveUnit(const float* values, int64_t size, float* to) {
    if (values == nullptr) {
      std::fill_n(to, size, 0.0f);
    } else {
      std::copy_n(values, size, to);
    }
  }

  static void mergeInto(Mark& older, Mark& mark) {
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
          const int64_t entry =
              into.add(r, from.unit(i), journal.absent[r][static_cast<size_t>(i)]);
          std::copy_n(from.values(i), from.unitSize(), into.stores[r].values(entry));
        }
      }
    }
  }

  bool selected(const Selection* only, int region, uint32_t unit) const {
    return only == nullptr || (*only)[static_cast<size_t>(parameterOfUnit(region, unit))];
  }

  // Calls visit(change) for every unit, shared or of an overlay, that changed since the mark, with
  // its oldest value since then, on whatever threads there are. The change is itself journalled. An
  // overlay unit whose visit returns false is removed.
  template <typename Visit>
  void forEachChange(const char* operation, MarkId id, const Selection* only, const Visit& visit) {
    requireClosed(operation);
    const size_t index = indexOf(operation, id);
    const auto each = [this](int64_t count, int64_t size, const auto& body) {
      forUnits(count, size, body);
    };
    // Overlays first: an absent unit of a fork starts from the shared value as it is now.
    visitOverlays(index, only, visit, each);
    visitShared(index, only, visit, each);
  }

  // One after the other.
  static constexpr auto kInOrder = [](int64_t count, int64_t, const auto& body) {
    for (int64_t i = 0; i < count; ++i) body(i);
  };

  template <typename Visit, typename Each>
  void visitShared(size_t index, const Selection* only, const Visit& visit, const Each& each) {
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
          visit(Change{parameterOfUnit(region, unit), region, unit, -1, false,
                       journal.values(entry), regions_[r].unit(unit), size});
        });
      }
    }
  }

  bool heldBetween(size_t begin, size_t end, size_t region, uint32_t unit) const {
    for (size_t m = begin; m < end; ++m) {
      if (marks_[m].shared[region].find(unit) != UnitStore::kNone) return true;
    }
    return false;
  }

  bool overlayHeldBetween(size_t begin, size_t end, OverlayId domain, size_t region,
                          uint32_t unit) const {
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
  void visitOverlays(size_t index, const Selection* only, const Visit& visit, const Each& each) {
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

  // Those of visited_.
  template <typename Visit, typename Each>
  void visitOverlay(OverlayId domain, size_t r, const OverlayJournal& journal, UnitStore& store,
                    const Visit& visit, const Each& each) {
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

ParameterSpace::ParameterSpace(std::vector<ParameterSpec> parameters, uint64_t seed)
    : ParameterSpace(std::move(parameters), seed, StartLater{}) {
  impl_->start(nullptr);
}
ParameterSpace::ParameterSpace(std::vector<ParameterSpec> parameters, uint64_t seed, StartLater)
    : impl_(std::make_unique<Impl>(std::move(parameters), seed)) {}
void ParameterSpace::start(ThreadPool& pool) { impl_->start(&pool); }
void ParameterSpace::moveRows(int parameter, std::span<const int32_t> from, ThreadPool& pool) {
  impl_->moveRows(parameter, from, pool);
}
void ParameterSpace::useThreads(std::shared_ptr<ThreadPool> pool) {
  impl_->useThreads(std::move(pool));
}
const std::shared_ptr<ThreadPool>& ParameterSpace::threads() const { return impl_->threads(); }
ParameterSpace::~ParameterSpace() = default;
int ParameterSpace::parameterCount() const { return static_cast<int>(impl_->parameters().size()); }
const ParameterSpec& ParameterSpace::parameter(int index) const {
  return impl_->parameters()[static_cast<size_t>(index)];
}
int ParameterSpace::find(const std::string& name) const { return impl_->find(name); }
int ParameterSpace::regionCount() const { return static_cast<int>(impl_->regions().size()); }
int ParameterSpace::regionOf(int parameter) const { return impl_->regionOf(parameter); }
int64_t ParameterSpace::firstUnitOf(int parameter) const { return impl_->firstUnit(parameter); }
int64_t ParameterSpace::unitCountOf(int parameter) const { return impl_->unitCount(parameter); }
int64_t ParameterSpace::unitCount(int region) const {
  return impl_->regions()[static_cast<size_t>(region)].units;
}
int64_t ParameterSpace::unitSize(int region) const {
  return impl_->regions()[static_cast<size_t>(region)].unitSize;
}
float* ParameterSpace::region(int region) {
  return impl_->regions()[static_cast<size_t>(region)].data();
}
float* ParameterSpace::data(int parameter) {
  const int index = regionOf(parameter);
  return region(index) + firstUnitOf(parameter) * unitSize(index);
}
int ParameterSpace::parameterOfUnit(int region, uint32_t unit) const {
  return impl_->parameterOfUnit(region, unit);
}
Selection ParameterSpace::select(const std::vector<std::string>& patterns) const {
  return impl_->select(patterns);
}
Selection ParameterSpace::trainable(Selection selection) const {
  return impl_->trainable(std::move(selection));
}
void ParameterSpace::touch(int region, std::span<const uint32_t> units) {
  impl_->touch(region, units);
}
void ParameterSpace::touchDense(int parameter) { impl_->touchDense(parameter); }
MarkId ParameterSpace::mark() { return impl_->mark(); }
void ParameterSpace::restore(MarkId mark, const Selection* only) { impl_->restore(mark, only); }
void ParameterSpace::lerp(MarkId mark, float rate, const Selection* only) {
  impl_->lerp(mark, rate, only);
}
void ParameterSpace::release(MarkId mark) { impl_->release(mark); }
void ParameterSpace::visitSharedChanges(MarkId mark, const Selection* only,
                                        const std::function<void(const Change&)>& visit) {
  impl_->visitSharedChanges(mark, only, visit);
}
void ParameterSpace::visitOverlayWay(
    MarkId mark, OverlayId domain, const std::function<void(int, uint32_t, const float*)>& visit) {
  impl_->visitOverlayWay(mark, domain, visit);
}
int ParameterSpace::openMarks() const { return impl_->openMarks(); }
int64_t ParameterSpace::savedUnits(MarkId mark) const { return impl_->savedUnits(mark); }
void ParameterSpace::configureOverlays(Combine combine, SpecificStart start,
                                       const Selection& specific) {
  impl_->configure(combine, start, specific);
}
Combine ParameterSpace::overlayCombine() const { return impl_->combine(); }
void ParameterSpace::openOverlay(OverlayId domain) { impl_->open(domain); }
void ParameterSpace::closeOverlay(bool keep) { impl_->close(keep); }
bool ParameterSpace::overlayOpen() const { return impl_->overlayOpen(); }
bool ParameterSpace::hasOverlay(OverlayId domain) const { return impl_->hasOverlay(domain); }
void ParameterSpace::dropOverlay(OverlayId domain) { impl_->drop(domain); }
std::vector<OverlayId> ParameterSpace::overlays() const { return impl_->overlays(); }
int64_t ParameterSpace::overlayUnits(OverlayId domain) const { return impl_->overlayUnits(domain); }
int64_t ParameterSpace::overlayBytes() const { return impl_->overlayBytes(); }
void ParameterSpace::limitOverlays(const std::string& folder, int64_t budget) {
  impl_->limit(folder, budget);
}
int64_t ParameterSpace::spilledBytes() const { return impl_->spilledBytes(); }
void ParameterSpace::gather(int region, OverlayId domain, std::span<const int32_t> units,
                            float* out, int64_t stride) const {
  impl_->gather(region, domain, units, out, stride);
}
void ParameterSpace::gatherDense(OverlayId domain, float* out) const {
  impl_->gatherDense(domain, out);
}
void ParameterSpace::visitOverlay(
    OverlayId domain, int parameter,
    const std::function<void(uint32_t, std::span<const float>)>& visit) const {
  impl_->visitOverlay(domain, parameter, visit);
}
void ParameterSpace::setOverlayUnit(OverlayId domain, int parameter, uint32_t unit,
                                    std::span<const float> values) {
  impl_->setOverlayUnit(domain, parameter, unit, values);
}
void ParameterSpace::save(const Write& write) const { impl_->save(write); }
void ParameterSpace::load(const Read& read) { impl_->load(read); }

}  // namespace polydomain
