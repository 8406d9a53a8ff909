#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "batch.h"
#include "checked_at.h"
#include "device/device_space.h"
#include "polydomain/error.h"
#include "polydomain/session.h"
#include "row_order.h"

namespace polydomain {

// What a run command trains with, or adds gradients with.
struct StepProgram {
  Mode mode;
  BoundProgram direct;
  std::optional<BoundProgram> gradient;  // of kTrain: for steps that go through a buffer
};

class Session::Impl {
 public:
  Impl(std::shared_ptr<ParameterSpace> space, std::shared_ptr<ThreadPool> pool, Options options);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  int addSplit(SplitData split);
  int addOptimizer(OptimizerSpec spec, std::shared_ptr<OptimizerState> state);
  std::shared_ptr<OptimizerState> optimizer(int index) {
    return at(optimizers_, index, "optimizer");
  }
  int addSelection(Selection selection);
  int addProgram(const Graph& graph, ProgramOptions options, Mode mode);
  void setEvaluationProgram(const Graph& graph, ProgramOptions options);
  void startProfile() { profile_ = std::make_unique<Profile>(); }
  const Profile* profile() const { return profile_.get(); }

  RunOutcome run(const std::vector<Command>& commands,
                 const std::vector<std::vector<int32_t>>& orders);
  void cancel() { cancelled_ = true; }
  int64_t stepsDone() const { return steps_; }
  bool leased() const { return leased_; }
  std::vector<float> scores(int split, int32_t domain, OverlayId overlay);
  void settle();

  void save(const std::string& path);
  void load(const std::string& path);

 private:
  // One caller at a time; the space is not to be touched by others meanwhile.
  class Lease {
   public:
    explicit Lease(Impl& impl) : impl_(impl) {
      if (impl_.leased_.exchange(true)) {
        throw Error(ErrorKind::kBusy, "a training session runs; expected to wait for it");
      }
    }
    ~Lease() { impl_.leased_ = false; }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

   private:
    Impl& impl_;
  };

  // Kernels trust ids: every split is checked once against every program.
  void checkSplits();

  // --- Commands ---------------------------------------------------------------------------------

  // Nothing when it was cancelled on the way; `interrupted` then tells where to go on.
  std::optional<CommandResult> execute(const Command& command,
                                       const std::vector<std::vector<int32_t>>& orders,
                                       Interruption& interrupted);

  // Rows get the steps that they lack before a command sees them. The steps of an optimizer itself
  // do so row by row.
  void settleBefore(const Command& command);
  void settleBut(int32_t own);
  // Momentum would give an overlay a value of every row.
  void requireShared(const Command& command) const;

  MarkId markOf(int32_t id) const;
  GradientBuffer& bufferOf(int32_t id);
  const Selection* selectionOf(int32_t index);

  void restore(const Command& command);
  // The way back to a mark as a gradient: buffer += scale * (saved - value), of the shared values
  // or of a domain's effective ones.
  void addChange(GradientBuffer& buffer, MarkId mark, OverlayId overlay, double scale);
  // Copies a slot of the selected banks to all their other slots.
  void broadcast(int32_t slot, const Selection& banks);

  // --- Passes -----------------------------------------------------------------------------------

  struct Pass {
    CommandResult result;
    double lossSum = 0.0;
    int64_t interruptedAt = 0;  // the step that a cancelled pass has to go on from
  };
  // Rows that a program takes in one go.
  struct Block {
    int32_t domain;  // or Batch::kMixed
    std::span<const int32_t> rows;
  };

  static std::span<const int32_t> orderOf(const Command& command,
                                          const std::vector<std::vector<int32_t>>& orders);
  // One pass. Cancellation ends one without overlay between two steps, and with `abandon` any: its
  // caller then undoes what the pass did.
  Pass runPass(const Command& command, int64_t ordinal, std::span<const int32_t> given,
               bool abandon);
  // One step over `rows`; returns the sum of their losses.
  double takeStep(StepProgram& program, const Command& command, std::span<const int32_t> rows);
  Program::Run startRun();

  bool clips() const { return options_.clipNorm > 0.0; }
  // Whether steps have rows of several slots of a program that takes one at a time.
  bool inBlocks(const StepProgram& program, const Command& command) const;
  bool buffered(const StepProgram& program, const Command& command) const;
  // Groups rows by domain, in order of the domains; each keeps the order of its rows.
  void splitByDomain(const SplitData& split, std::span<const int32_t> rows);
  // One optimizer step with a gradient, whose norm is clipped first if wanted, as PyTorch's
  // clip_grad_norm_ does.
  void apply(GradientBuffer& gradient, int32_t optimizer, bool clip,
             const Selection* only = nullptr);

  // Passes over one domain until `patience` of them have not raised its score on split `other` by
  // more than `rate`; the best pass's values stay. The optimizer starts anew. A cancelled one is
  // undone, so that it can be done again. Without rows to score, one pass is made.
  std::optional<CommandResult> converge(const Command& command,
                                        const std::vector<std::vector<int32_t>>& orders);

  // --- Evaluation -------------------------------------------------------------------------------

  // Calls use(logits, labels, rows) for a domain's rows of a split, block by block, and returns
  // their mean loss; nothing when it was cancelled on the way.
  template <typename Use>
  std::optional<double> scoreRows(int splitIndex, int32_t domain, OverlayId overlay, bool stoppable,
                                  Use&& use);
  // Nothing when it was cancelled on the way.
  std::optional<CommandResult> evaluate(int splitIndex, int32_t domain, OverlayId overlay);
  // The score of a domain behind passes over its rows in split `other`, by an optimizer that starts
  // anew. Nothing is left of them, nor of those of a cancelled one, not even in the dropout to
  // come.
  std::optional<CommandResult> evaluateTuned(const Command& command);

  // --- Checkpoints ------------------------------------------------------------------------------

  void writeLayout(const ParameterSpace::Write& write) const;
  void requireLayout(const ParameterSpace::Read& read) const;

  std::shared_ptr<ParameterSpace> space_;
  std::shared_ptr<ThreadPool> pool_;
  Options options_;
  std::unique_ptr<DeviceSpace> mirror_;  // null: on the CPU
  std::vector<SplitData> splits_;
  std::vector<std::shared_ptr<OptimizerState>> optimizers_;
  std::vector<Selection> selections_;
  bool allTrainable_;
  std::vector<StepProgram> programs_;
  std::optional<BoundProgram> evaluation_;
  size_t checkedSplits_ = 0, checkedPrograms_ = 0;
  std::map<int32_t, MarkId> marks_;  // by the strategy's ids
  std::map<int32_t, std::unique_ptr<GradientBuffer>> buffers_;
  std::atomic<bool> leased_ = false, cancelled_ = false;
  std::atomic<int64_t> steps_ = 0;
  std::unique_ptr<Profile> profile_;  // null: not profiled

  // Kept between steps, so that they allocate nothing.
  RowOrder order_;
  GradientBuffer stepGradient_;
  std::vector<Block> blocks_;
  std::vector<std::pair<int32_t, int32_t>> grouped_;  // domain and row
  std::vector<int32_t> groupedRows_;
  int32_t blockDomain_ = Batch::kMixed;  // of the block at work, for messages
  Batch batch_;
  std::vector<float> effectiveDense_;
};

}  // namespace polydomain
