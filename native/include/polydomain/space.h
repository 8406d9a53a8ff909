#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "polydomain/optimizer.h"
#include "polydomain/random.h"
#include "polydomain/tensor.h"
#include "polydomain/thread_pool.h"

namespace polydomain {

enum class ParameterKind : uint8_t {
  kDense,  // a tensor in the dense slab
  kTable,  // rows x dim, read by row id; only touched rows are ever updated
};

enum class InitKind : uint8_t { kZeros, kConstant, kUniform, kNormal };
// Counter-based: element i of a parameter depends on (seed, stream of its name, i) alone.
struct Initializer {
  InitKind kind = InitKind::kZeros;
  float a = 0.0f;  // constant; uniform: low; normal: mean
  float b = 0.0f;  // uniform: high; normal: standard deviation
};

struct ParameterSpec {
  std::string name;
  ParameterKind kind = ParameterKind::kDense;
  Shape shape;
  Initializer initializer;
  float l2 = 0.0f;  // lambda of lambda * sum(w^2), applied to what a step touches
  // false: no optimizer, lerp or outer step ever changes it. Running averages (programs) do.
  bool trainable = true;
  bool bank = false;  // a table whose rows are the domains' slots, each a layer's weights, say
};

// Values are kept, saved and compared by *unit*: a table's row, or a block of kDenseBlock floats of
// the dense slab. A region is an array of units of one size: region 0 is the dense slab (every
// parameter in it starts at a block border), each table is a region of its own.
inline constexpr int64_t kDenseBlock = 128;

using MarkId = int32_t;
using OverlayId = int32_t;  // a domain's index

enum class Combine : uint8_t {
  kPlus,    // effective value = shared + specific (MAMDR eq. 4)
  kTimes,   // shared * specific
  kReplace  // specific where present: a copy-on-write fork (finetune, Separate)
};
enum class SpecificStart : uint8_t { kNeutral /* zeros; ones for times */, kRandom };

// One flag per parameter (index as in ParameterSpace): which parameters an operation acts on.
using Selection = std::vector<bool>;

// A unit that changed since a mark.
struct Change {
  int parameter;
  int region;
  uint32_t unit;
  OverlayId overlay;   // whose value it is; -1: the shared one
  bool wasAbsent;      // an overlay's unit that did not exist: `saved` is what it would start from
  const float* saved;  // its values when the mark was opened
  float* value;        // its values now
  int64_t size;
};

// All that training may touch of a model (DESIGN: "The parameter space").
//
// Every writer announces the units that it is about to write with touch(); the space then saves
// their old values for open marks and, while an overlay is open, forms the effective value in
// place. So marks, overlays, best states and forks cost what was touched, and kernels only ever
// see plain memory.
class ParameterSpace {
 public:
  ParameterSpace(std::vector<ParameterSpec> parameters, uint64_t seed);
  // The same with zeros until start(pool) draws the values that parameters start from. Threads do
  // not change their bits.
  struct StartLater {};
  ParameterSpace(std::vector<ParameterSpec> parameters, uint64_t seed, StartLater);
  void start(ThreadPool& pool);
  // What touch, restore, lerp and closeOverlay spread their work over from now on. Threads do not
  // change their bits.
  void useThreads(std::shared_ptr<ThreadPool> pool);
  const std::shared_ptr<ThreadPool>& threads() const;  // null before useThreads()
  ~ParameterSpace();
  ParameterSpace(const ParameterSpace&) = delete;
  ParameterSpace& operator=(const ParameterSpace&) = delete;

  // Parameters and memory.
  int parameterCount() const;
  const ParameterSpec& parameter(int index) const;
  int find(const std::string& name) const;  // throws Error(kConfig) naming the nearest known name
  int regionCount() const;
  int regionOf(int parameter) const;
  int64_t firstUnitOf(int parameter) const;  // dense: its first block; table: 0
  int64_t unitCountOf(int parameter) const;
  int parameterOfUnit(int region, uint32_t unit) const;
  int64_t unitCount(int region) const;
  int64_t unitSize(int region) const;  // floats
  float* region(int region);           // 64-byte aligned; stable until rows are moved
  float* data(int parameter);
  // Glob patterns ("embedding.*", "all") to a selection, from the first to the last; one behind '!'
  // takes out what it matches, of everything when it is the first. Throws Error(kConfig) when one
  // matches none.
  Selection select(const std::vector<std::string>& patterns) const;
  // The trainable ones of a selection (empty: of all).
  Selection trainable(Selection selection = {}) const;

  // Row r of a table becomes what row from[r] was, in place; new rows (-1) start as those of a
  // table of this size do, and domains have no own values of them. Optimizers that go on have to
  // follow (OptimizerState::moveRows). Programs made before and pointers into the table are void.
  // Throws Error(kConfig) while a mark or overlay is open, and for rows that cannot be moved.
  void moveRows(int parameter, std::span<const int32_t> from, ThreadPool& pool);

  // Announces writes. `units` must be unique within the call. Cheap when nothing is open.
  void touch(int region, std::span<const uint32_t> units);
  // Announces a write of the whole of a dense parameter.
  void touchDense(int parameter);

  // Marks: undo journals over shared values and overlays. They may end in any order.
  MarkId mark();
  void restore(MarkId mark, const Selection* only = nullptr);
  // value = saved + rate * (value - saved) over all trainable values that changed since the mark
  // (eq. 3).
  void lerp(MarkId mark, float rate, const Selection* only = nullptr);
  // Ends a mark; an older one takes over what it saved. (Where that throws for want of memory, the
  // older one is not to be relied on.)
  void release(MarkId mark);
  // The trainable shared units that changed since the mark, to be written by `visit`.
  void visitSharedChanges(MarkId mark, const Selection* only,
                          const std::function<void(const Change&)>& visit);
  // How far the effective values of `domain` moved by what its overlay changed since the mark:
  // visit(region, unit, saved - value). `way` lasts until the next visit.
  void visitOverlayWay(
      MarkId mark, OverlayId domain,
      const std::function<void(int region, uint32_t unit, const float* way)>& visit);
  int openMarks() const;
  int64_t savedUnits(MarkId mark) const;

  // Overlays: domain-specific values. Created at the first openOverlay().
  // What is not trainable is always specific, and a domain's own value of it replaces the shared
  // one whatever `combine` says.
  void configureOverlays(Combine combine, SpecificStart start, const Selection& specific);
  Combine overlayCombine() const;
  // From now on touch() forms the effective value; units outside `specific` train as shared ones.
  void openOverlay(OverlayId domain);
  // Writes the effective values back into the overlay and the shared values into place again.
  // keep = false drops the changes.
  void closeOverlay(bool keep = true);
  bool overlayOpen() const;
  bool hasOverlay(OverlayId domain) const;
  void dropOverlay(OverlayId domain);
  std::vector<OverlayId> overlays() const;
  int64_t overlayUnits(OverlayId domain) const;
  int64_t overlayBytes() const;
  // Keeps about `budget` bytes of overlays, and of what marks saved of them, in memory and the rest
  // in a file without a name in `folder`; -1: all in memory. Values do not depend on it. From then
  // on what writes overlays throws Error(kCheckpoint) when the folder cannot hold them: shared
  // values are then intact, and overlays lack what did not fit.
  void limitOverlays(const std::string& folder, int64_t budget);
  int64_t spilledBytes() const;  // of that file
  // Reading without changing anything: out = effective values of `domain`. `units` need not be
  // unique; out row i starts at out + i * stride. Domains without overlay read the shared values.
  void gather(int region, OverlayId domain, std::span<const int32_t> units, float* out,
              int64_t stride) const;
  // Effective dense slab of a domain into `out` (unitCount(0) * kDenseBlock floats).
  void gatherDense(OverlayId domain, float* out) const;
  // Whether a domain's effective values of a parameter may differ from the shared ones.
  bool owns(OverlayId domain, int parameter) const;
  // Visits an overlay's units of a parameter in ascending order: unit (relative to the parameter),
  // values.
  void visitOverlay(
      OverlayId domain, int parameter,
      const std::function<void(uint32_t unit, std::span<const float> values)>& visit) const;
  // Sets one unit of an overlay (loading); creates the overlay.
  void setOverlayUnit(OverlayId domain, int parameter, uint32_t unit,
                      std::span<const float> values);

  // Everything above (values, open marks, overlays, not optimizer state) to bytes and back.
  // `write` receives consecutive pieces. Reading throws Error(kCheckpoint) on data that does not
  // fit.
  using Write = std::function<void(const void* data, size_t bytes)>;
  using Read = std::function<void(void* data, size_t bytes)>;  // throws when exhausted
  void save(const Write& write) const;
  void load(const Read& read);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// State of one optimizer over a space: keyed by base unit, never rolled back by marks. Slabs are
// zero pages until first touched. Steps count per parameter (PyTorch's way), for the learning
// rate's schedule also per optimizer.
class OptimizerState {
 public:
  // Throws Error(kConfig) for RowSteps::kDense over a trainable table with an l2 of its own.
  OptimizerState(ParameterSpace& space, OptimizerSpec spec);
  ~OptimizerState();
  OptimizerSpec& spec();  // learning rate may change between steps
  void reset();           // moments and step counts to the start
  // Whether an optimizer with this spec can go on with the state.
  bool goesOn(const OptimizerSpec& spec) const;
  // After the same of the space: state follows its rows, that of new ones is at the start.
  void moveRows(int parameter, std::span<const int32_t> from);
  // Starts a step of `parameter`: increments its count and returns what updates need.
  UpdateScalars beginStep(int parameter);
  // Ends a step over any number of parameters: the schedule goes on by one.
  void endStep();
  // Updates n values w with gradient g; state is that of (region, unit), n <= unit size. For dense
  // parameters consecutive units are contiguous, so n may span them. Thread-safe for disjoint
  // units.
  void update(const UpdateScalars& scalars, int region, int64_t unit, int64_t n, float* w,
              const float* g);
  // Updates rows (unique) of the table in `region`, whose values are w; row i's gradient is g + i *
  // its size. Thread-safe for disjoint rows.
  void updateRows(const UpdateScalars& scalars, int region, std::span<const int32_t> rows, float* w,
                  const float* g);
  // State of a region, laid out as its values; null where the optimizer has no such.
  float* state(int region, int index);
  // With RowSteps::kDense a row gets the steps without a gradient of it when it is next read or
  // updated. Whether rows of a parameter may lack some:
  bool lags(int parameter) const;
  // Before the rows (unique, announced to the space) of a table are read: gives them what they
  // lack.
  void catchUp(int parameter, std::span<const uint32_t> rows, ThreadPool& pool);
  // All rows of all tables; announces those that it writes. Before anything else than steps of this
  // optimizer reads or writes values, marks included.
  void settle(ThreadPool& pool);
  void save(const ParameterSpace::Write& write) const;
  void load(const ParameterSpace::Read& read);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// A gradient over dense and row parameters together (PCGrad, MAML, MLDG).
class GradientBuffer {
 public:
  explicit GradientBuffer(const ParameterSpace& space);
  ~GradientBuffer();
  void zero();
  // this += scale * gradient of consecutive units of a dense parameter, or of one table row.
  void addUnits(int region, int64_t firstUnit, int64_t count, const float* gradient, float scale);
  void add(const GradientBuffer& other, float scale);  // axpy
  void scale(float factor);
  double dot(const GradientBuffer& other) const;
  double norm() const;
  // this -= (this . other / |other|^2) * other when their dot product is negative (PCGrad, Yu et
  // al. 2020, algorithm 1). Returns whether it did.
  bool project(const GradientBuffer& other);
  // Announces the units to the space and applies one optimizer step, to the selected parameters.
  void apply(ParameterSpace& space, OptimizerState& optimizer,
             const Selection* only = nullptr) const;
  int64_t units() const;
  void save(const ParameterSpace::Write& write) const;
  void load(const ParameterSpace& space, const ParameterSpace::Read& read);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Pseudo-gradient step (MAMDR IV-E): restores the marked values, then applies `optimizer` to the
// gradient (saved - value) of everything selected that changed since the mark.
void outerStep(ParameterSpace& space, OptimizerState& optimizer, MarkId mark,
               const Selection* only = nullptr);

}  // namespace polydomain
