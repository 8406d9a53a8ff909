#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "polydomain/device.h"
#include "polydomain/program.h"
#include "polydomain/row_file.h"

namespace polydomain {

// A list of ids per row: those of row r from offsets[r] to offsets[r + 1].
struct IdLists {
  const int32_t* offsets = nullptr;  // rows + 1
  const int32_t* ids = nullptr;
};

// Rows of one split, sorted by domain. The arrays belong to the caller, who keeps them alive. Rows
// of a file are read window by window instead: there are no arrays then.
struct SplitData {
  int64_t rows = 0;
  std::vector<const int32_t*> ids;    // one per categorical feature
  std::vector<const float*> numbers;  // one per numeric feature: value and missing flag of each row
  std::vector<IdLists> lists;         // one per multi-valued feature
  const float* labels = nullptr;
  const float* weights = nullptr;      // null: 1 in every row
  std::vector<int64_t> domainOffsets;  // domains + 1
  std::shared_ptr<const RowFile> file;
  int64_t windowRows = 0;  // of a file: rows in memory at a time; as many are read ahead
};

enum class CommandKind : uint8_t {
  kMark,
  kRestore,
  kLerp,
  kOuterStep,
  kRelease,
  kRun,
  kConverge,
  kEvaluate,
  kResetOptimizer,
  kBufferZero,
  kBufferAdd,
  kBufferScale,
  kBufferProject,
  kBufferAddChange,
  kBufferApply,
  kBufferDot,
  kDropOverlay,
  kSlots,
  kBroadcast
};

const char* nameOf(CommandKind kind);

// Where a cancelled pass stands: steps done, and the sums of its loss so far.
struct Interruption {
  int64_t step = 0;
  double lossSum = 0;
  int64_t rows = 0;
};

// One command of a strategy. Marks and gradient buffers go by ids that the strategy's side chooses.
struct Command {
  CommandKind kind;
  int32_t target = -1;  // mark or buffer id; slots, broadcast: a bank's slot
  int32_t other = -1;   // second buffer or mark; converge: the split that tells when to stop;
                        // evaluate with passes: the split whose rows they take
  int32_t domain = -1;  // run, converge, evaluate, dropOverlay
  int32_t split = 0;    // index into the session's splits
  int32_t overlay =
      -1;  // run, converge, evaluate: domain whose overlay is trained or read; -1 = shared
  int32_t optimizer = 0;   // index
  int32_t program = 0;     // index into the session's training programs (frozen groups)
  int32_t selection = -1;  // index into the session's selections; -1 = everything
  bool untrained = false;  // restore: also what is not trainable, which stays as it is otherwise
  int32_t order = -1;      // index into the call's explicit row orders (converge: its passes' one
                           // after another); -1 = shuffled by `pass`
  int64_t pass = 0;        // ordinal that keys the shuffle
  bool mixed = false;      // run: rows of all domains in one order, instead of one domain's
  bool blocks = false;     // run: as many rows of each domain in every step; a domain that has come
                           // to its end starts over with a fresh shuffle
  int64_t rowsPerDomain = 0;  // ... so many; 0 = an equal share of the batch size, 1 at least
  bool shortest = false;      // ... until the smallest domain has had all its rows, not the largest
  bool clip = true;           // bufferApply: by the session's clipNorm
  bool byRows = false;        // run that adds gradients: a step weighs as much of the batch size as
                              // it has rows, so that a short last one counts for its rows
  double shareFrom = 0;       // run: the rows from this share of a fixed shuffle of the domain ...
  double shareTo = 1;         // ... to that one
  int64_t maxSteps = 0;       // 0 = the whole pass
  Interruption resumed;       // run: go on from there inside the pass
  int64_t passes = 0;    // converge: passes at most; evaluate: passes by `optimizer` before it,
                         // of which nothing is left behind it
  int64_t patience = 0;  // converge: passes without a better score before it stops
  double rate = 0;       // lerp, scale, add; converge: what counts as a better score
};

struct CommandResult {
  double loss = 0;  // mean over rows (run: of the whole pass)
  double auc = 0;   // evaluate: NaN when the domain has one class only
  int64_t rows = 0;
  int64_t steps = 0;
  double value = 0;  // bufferDot: the dot product
};

struct RunOutcome {
  int64_t completed = 0;      // commands done
  Interruption interruption;  // inside the next one, when it was cancelled between two steps
  std::vector<CommandResult> results;  // one per completed command
};

// Executes commands over one space: the native half of every training strategy. While run() is at
// work the space is leased: whoever else wants to write or read asks leased() first.
//
// A training step is one program, in which the optimizer follows each gradient at once, but for two
// cases that go through a gradient buffer: clipped gradients, and rows of several domains of a
// program that reads "slot". Those are taken domain by domain, each block's gradients weighted by
// its share of the rows; their sum is the gradient of the whole batch's mean loss.
class Session {
 public:
  struct Options {
    int64_t batchSize = 1024;
    uint64_t seed = 0;
    double clipNorm = 0;  // gradients of a step are scaled down to this global norm; 0 = never
    // Of rows with label 0 and 1: they multiply the rows' weights in training.
    std::array<float, 2> classWeights = {1.0f, 1.0f};
    // Where a file without a name takes scores of rows on disk that are beyond their window.
    std::string spillFolder = "/tmp";
    // Where steps and evaluations run; null: the CPU. The space keeps the values between passes.
    std::shared_ptr<Device> device = nullptr;
  };
  Session(std::shared_ptr<ParameterSpace> space, std::shared_ptr<ThreadPool> pool, Options options);
  ~Session();

  int addSplit(SplitData split);
  // `state`: what optimizer() of an earlier session over the space gave, to go on from.
  int addOptimizer(OptimizerSpec spec, std::shared_ptr<OptimizerState> state = nullptr);
  std::shared_ptr<OptimizerState> optimizer(int index);
  int addSelection(Selection selection);
  // Program inputs are matched by name: "label", "weight", "domain" (the row's domain index),
  // "slot" (the bank slot of all rows of a block: its domain's, see CommandKind::kSlots), and
  // columns of the split: "feature:<i>" (ids), "numeric:<i>" (value and missing flag), "list:<i>"
  // (ids [rows, width]: of longer lists the first, shorter ones filled up with -1).
  int addTrainingProgram(const Graph& graph, ProgramOptions options);
  int addGradientProgram(const Graph& graph, ProgramOptions options);
  void setEvaluationProgram(const Graph& graph, ProgramOptions options);
  // From now on the time of commands is recorded; not while run() is at work.
  void startProfile();
  const Profile* profile() const;  // null before startProfile()

  // Runs commands in order until done or cancelled. Cancellation takes effect between commands,
  // between steps of a run without overlay, and within converge and evaluate, which are then as if
  // they had not begun. Throws the first error; the message of a
  // non-finite loss names domain and step.
  RunOutcome run(const std::vector<Command>& commands,
                 const std::vector<std::vector<int32_t>>& orders);
  void cancel();              // from any thread; of the run at work, else of the next one
  int64_t stepsDone() const;  // from any thread: training steps since construction or load
  bool leased() const;
  // Scores of one split's rows of one domain (after training), [rows of that domain].
  std::vector<float> scores(int split, int32_t domain, OverlayId overlay);

  // Rows that lack steps of dense optimizers get them: before others read the space after run().
  void settle();

  // All state that a resumed run needs (space, optimizers, open marks, buffers, counters).
  void save(const std::string& path) const;  // to a temporary file, fsync, rename
  void load(const std::string& path);        // Error(kCheckpoint) when truncated or foreign

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace polydomain
