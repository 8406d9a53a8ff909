#include "polydomain/session.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "batch.h"
#include "cpu/auc.h"
#include "cpu/elementwise.h"
#include "polydomain/error.h"
#include "row_order.h"
#include "space/serialize.h"
#include "state_file.h"

namespace polydomain {

namespace {

constexpr int64_t kEvaluationRows = 4096;
// Blocks of one step draw different dropout: the block's number stands above the step's bits.
constexpr int kBlockShift = 40;

template <typename Items>
auto& at(Items& items, int64_t index, const char* what) {
  if (index < 0 || index >= static_cast<int64_t>(items.size())) {
    throw Error(ErrorKind::kConfig, std::string(what) + " " + std::to_string(index) +
                                        " is unknown; there are " + std::to_string(items.size()));
  }
  return items[static_cast<size_t>(index)];
}

// What a run command trains with, or adds gradients with.
struct StepProgram {
  Mode mode;
  BoundProgram direct;
  std::optional<BoundProgram> gradient;  // of kTrain: for steps that go through a buffer
};

}  // namespace

class Session::Impl {
 public:
  Impl(std::shared_ptr<ParameterSpace> space, std::shared_ptr<ThreadPool> pool, Options options)
      : space_(std::move(space)),
        pool_(std::move(pool)),
        options_(options),
        allTrainable_(std::ranges::count(space_->trainable(), false) == 0),
        order_(options.batchSize, options.seed),
        stepGradient_(*space_),
        batch_(options.classWeights) {
    if (options_.batchSize < 1) {
      throw Error(ErrorKind::kConfig, "batchSize: " + std::to_string(options_.batchSize) +
                                          "; expected an integer of 1 at least");
    }
    space_->useThreads(pool_);
  }

  // What a session leaves open would be journalled for ever.
  ~Impl() {
    std::vector<MarkId> open;
    for (const auto& [id, mark] : marks_) open.push_back(mark);
    // Oldest first: nothing is left then to take over what they saved.
    std::sort(open.begin(), open.end());
    for (const MarkId mark : open) space_->release(mark);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  int addSplit(SplitData split) {
    splits_.push_back(std::move(split));
    return static_cast<int>(splits_.size()) - 1;
  }

  int addOptimizer(OptimizerSpec spec, std::shared_ptr<OptimizerState> state) {
    if (!state) {
      state = std::make_shared<OptimizerState>(*space_, spec);
    } else if (!state->goesOn(spec)) {
      throw Error(ErrorKind::kConfig,
                  "an optimizer cannot go on from the state of another kind; expected the same");
    }
    state->spec() = spec;
    optimizers_.push_back(std::move(state));
    return static_cast<int>(optimizers_.size()) - 1;
  }

  int addSelection(Selection selection) {
    selections_.push_back(std::move(selection));
    return static_cast<int>(selections_.size()) - 1;
  }

  int addProgram(const Graph& graph, ProgramOptions options, Mode mode) {
    options.mode = mode;
    StepProgram step{mode, {graph, *space_, options}, {}};
    if (mode == Mode::kTrain && (clips() || step.direct.readsSlot())) {
      options.mode = Mode::kGradient;
      step.gradient.emplace(graph, *space_, std::move(options));
    }
    programs_.push_back(std::move(step));
    return static_cast<int>(programs_.size()) - 1;
  }

  void setEvaluationProgram(const Graph& graph, ProgramOptions options) {
    options.mode = Mode::kEvaluate;
    checkedPrograms_ = 0;
    evaluation_.emplace(graph, *space_, std::move(options));
  }

  std::shared_ptr<OptimizerState> optimizer(int index) {
    return at(optimizers_, index, "optimizer");
  }

  RunOutcome run(const std::vector<Command>& commands,
                 const std::vector<std::vector<int32_t>>& orders) {
    const Lease lease(*this);
    const ScopedFlushDenormals flush;
    checkSplits();
    // A cancellation counts from before the run until its end.
    const ClearAtEnd clear(cancelled_);
    RunOutcome outcome;
    for (const Command& command : commands) {
      if (cancelled_) break;
      if (profile_) profile_->beginCommand();
      const std::optional<CommandResult> result = execute(command, orders, outcome.interruption);
      if (profile_) profile_->endCommand(nameOf(command.kind), command.domain, command.overlay);
      if (!result) break;
      outcome.results.push_back(*result);
      ++outcome.completed;
    }
    return outcome;
  }

  void startProfile() { profile_ = std::make_unique<Profile>(); }
  const Profile* profile() const { return profile_.get(); }

  void cancel() { cancelled_ = true; }
  int64_t stepsDone() const { return steps_; }
  bool leased() const { return leased_; }

  std::vector<float> scores(int split, int32_t domain, OverlayId overlay) {
    const Lease lease(*this);
    const ScopedFlushDenormals flush;
    checkSplits();
    std::vector<float> scores;
    scoreRows(split, domain, overlay, /*stoppable=*/false,
              [&](const float* logits, const float*, int64_t rows) {
                scores.insert(scores.end(), logits, logits + rows);
              });
    cpu::unary(*pool_, cpu::Unary::kSigmoid, {}, scores.data(), scores.data(), std::ssize(scores));
    return scores;
  }

  void settle() {
    const Lease lease(*this);
    const ScopedFlushDenormals flush;
    settleBut(-1);
  }

  void save(const std::string& path) {
    const Lease lease(*this);
    StateFileWriter file(path);
    const ParameterSpace::Write write = [&](const void* data, size_t bytes) {
      file.write(data, bytes);
    };
    writeLayout(write);
    const int64_t steps = steps_;
    write(&steps, sizeof(steps));
    writeValue(write, batch_.sharedSlot());
    space_->save(write);
    for (const auto& optimizer : optimizers_) optimizer->save(write);
    const auto marks = static_cast<int64_t>(marks_.size());
    write(&marks, sizeof(marks));
    for (const auto& [id, mark] : marks_) {
      write(&id, sizeof(id));
      write(&mark, sizeof(mark));
    }
    writeValue(write, static_cast<int64_t>(buffers_.size()));
    for (const auto& [id, buffer] : buffers_) {
      writeValue(write, id);
      buffer->save(write);
    }
    file.commit();
  }

  void load(const std::string& path) {
    const Lease lease(*this);
    StateFileReader file(path);
    const ParameterSpace::Read read = [&](void* data, size_t bytes) { file.read(data, bytes); };
    // Nothing is taken from a file before all of it is known to fit.
    requireLayout(read);
    int64_t steps = 0, marks = 0;
    read(&steps, sizeof(steps));
    const auto sharedSlot = readValue<int32_t>(read);
    space_->load(read);
    for (const auto& optimizer : optimizers_) optimizer->load(read);
    read(&marks, sizeof(marks));
    marks_.clear();
    for (int64_t i = 0; i < marks; ++i) {
      int32_t id = 0;
      MarkId mark = 0;
      read(&id, sizeof(id));
      read(&mark, sizeof(mark));
      marks_[id] = mark;
    }
    buffers_.clear();
    for (auto left = readValue<int64_t>(read); left > 0; --left) {
      auto& buffer = buffers_[readValue<int32_t>(read)];
      buffer = std::make_unique<GradientBuffer>(*space_);
      buffer->load(*space_, read);
    }
    file.finish();
    steps_ = steps;
    batch_.shareSlot(sharedSlot);
  }

 private:
  void writeLayout(const ParameterSpace::Write& write) const {
    writeValue(write, static_cast<int64_t>(space_->parameterCount()));
    for (int p = 0; p < space_->parameterCount(); ++p) writeValue(write, signatureOf(p));
    writeValue(write, static_cast<int64_t>(space_->regionCount()));
    for (int r = 0; r < space_->regionCount(); ++r) {
      writeValue(write, space_->unitCount(r));
      writeValue(write, space_->unitSize(r));
    }
    writeValue(write, static_cast<int64_t>(optimizers_.size()));
    for (const auto& optimizer : optimizers_) {
      writeValue(write, static_cast<int64_t>(optimizer->spec().kind));
      writeValue(write, static_cast<int64_t>(optimizer->spec().stateCount()));
      writeValue(write, static_cast<int64_t>(optimizer->spec().rows));
    }
  }

  // Of a parameter's name and shape.
  uint64_t signatureOf(int parameter) const {
    const ParameterSpec& spec = space_->parameter(parameter);
    return streamOf(spec.name + toString(spec.shape));
  }

  void requireLayout(const ParameterSpace::Read& read) const {
    const auto require = [&](int64_t expected, const char* what) {
      requireEqual(readValue<int64_t>(read), expected, what);
    };
    require(space_->parameterCount(), "parameters");
    for (int p = 0; p < space_->parameterCount(); ++p) {
      if (readValue<uint64_t>(read) == signatureOf(p)) continue;
      throw Error(ErrorKind::kCheckpoint, "the checkpoint has another parameter in place of '" +
                                              space_->parameter(p).name + "' " +
                                              toString(space_->parameter(p).shape));
    }
    require(space_->regionCount(), "regions");
    for (int r = 0; r < space_->regionCount(); ++r) {
      require(space_->unitCount(r), "units of a region");
      require(space_->unitSize(r), "values of a unit");
    }
    require(static_cast<int64_t>(optimizers_.size()), "optimizers");
    for (const auto& optimizer : optimizers_) {
      require(static_cast<int64_t>(optimizer->spec().kind), "as its optimizer's kind");
      require(optimizer->spec().stateCount(), "state values per weight");
      require(static_cast<int64_t>(optimizer->spec().rows), "as how its optimizer's rows step");
    }
  }

  class ClearAtEnd {
   public:
    explicit ClearAtEnd(std::atomic<bool>& flag) : flag_(flag) {}
    ~ClearAtEnd() { flag_ = false; }
    ClearAtEnd(const ClearAtEnd&) = delete;
    ClearAtEnd& operator=(const ClearAtEnd&) = delete;

   private:
    std::atomic<bool>& flag_;
  };

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
  void checkSplits() {
    const size_t programs = programs_.size() + (evaluation_ ? 1 : 0);
    if (checkedSplits_ == splits_.size() && checkedPrograms_ == programs) return;
    for (const SplitData& split : splits_) {
      for (const StepProgram& step : programs_) step.direct.check(split);
      if (evaluation_) evaluation_->check(split);
    }
    checkedSplits_ = splits_.size();
    checkedPrograms_ = programs;
  }

  MarkId markOf(int32_t id) const {
    const auto found = marks_.find(id);
    if (found != marks_.end()) return found->second;
    throw Error(ErrorKind::kConfig, "mark " + std::to_string(id) + " is not open");
  }

  GradientBuffer& bufferOf(int32_t id) {
    const auto found = buffers_.find(id);
    if (found != buffers_.end()) return *found->second;
    throw Error(ErrorKind::kConfig, "gradient buffer " + std::to_string(id) +
                                        " does not exist; expected a bufferZero before");
  }

  // The way back to a mark as a gradient: buffer += scale * (saved - value), of the shared values
  // or of a domain's effective ones.
  void addChange(GradientBuffer& buffer, MarkId mark, OverlayId overlay, double scale) {
    if (overlay >= 0) {
      space_->visitOverlayWay(mark, overlay, [&](int region, uint32_t unit, const float* way) {
        buffer.addUnits(region, unit, 1, way, static_cast<float>(scale));
      });
      return;
    }
    std::vector<float> way;
    space_->visitSharedChanges(mark, nullptr, [&](const Change& change) {
      way.resize(static_cast<size_t>(change.size));
      for (int64_t i = 0; i < change.size; ++i) {
        way[static_cast<size_t>(i)] = change.saved[i] - change.value[i];
      }
      buffer.addUnits(change.region, change.unit, 1, way.data(), static_cast<float>(scale));
    });
  }

  const Selection* selectionOf(int32_t index) {
    return index < 0 ? nullptr : &at(selections_, index, "selection");
  }

  void restore(const Command& command) {
    const MarkId mark = markOf(command.target);
    const Selection* only = selectionOf(command.selection);
    if (command.untrained || (only == nullptr && allTrainable_)) return space_->restore(mark, only);
    const Selection trained = only == nullptr ? space_->trainable() : space_->trainable(*only);
    space_->restore(mark, &trained);
  }

  // Momentum would give an overlay a value of every row.
  void requireShared(const Command& command) const {
    const bool steps = command.kind == CommandKind::kRun ||
                       command.kind == CommandKind::kConverge ||
                       command.kind == CommandKind::kBufferApply;
    if (!steps || command.overlay < 0 || optimizers_.empty()) return;
    if (at(optimizers_, command.optimizer, "optimizer")->spec().rows == RowSteps::kLazy) return;
    throw Error(ErrorKind::kConfig, std::string(nameOf(command.kind)) + " of domain " +
                                        std::to_string(command.overlay) +
                                        "'s own values by an optimizer with rows 'dense'; expected "
                                        "rows 'lazy', or shared values");
  }

  // Rows get the steps that they lack before a command sees them. The steps of an optimizer itself
  // do so row by row.
  void settleBefore(const Command& command) {
    requireShared(command);
    switch (command.kind) {
      case CommandKind::kBufferZero:
      case CommandKind::kBufferAdd:
      case CommandKind::kBufferScale:
      case CommandKind::kBufferProject:
      case CommandKind::kBufferDot:
        return;  // of gradients alone
      case CommandKind::kRun:
      case CommandKind::kBufferApply:
        return settleBut(command.optimizer);
      default:
        return settleBut(-1);
    }
  }

  void settleBut(int32_t own) {
    for (int32_t index = 0; index < std::ssize(optimizers_); ++index) {
      OptimizerState& optimizer = *optimizers_[static_cast<size_t>(index)];
      if (index == own || optimizer.spec().rows == RowSteps::kLazy) continue;
      optimizer.settle(*pool_);
      lap(profile_.get(), Profile::kCatchUpRows);
    }
  }

  // Nothing when it was cancelled on the way; `interrupted` then tells where to go on.
  std::optional<CommandResult> execute(const Command& command,
                                       const std::vector<std::vector<int32_t>>& orders,
                                       Interruption& interrupted) {
    settleBefore(command);
    switch (command.kind) {
      case CommandKind::kMark:
        if (marks_.contains(command.target)) {
          throw Error(ErrorKind::kConfig,
                      "mark " + std::to_string(command.target) + " is open already");
        }
        marks_[command.target] = space_->mark();
        return CommandResult{};
      case CommandKind::kRestore:
        restore(command);
        return CommandResult{};
      case CommandKind::kLerp:
        space_->lerp(markOf(command.target), static_cast<float>(command.rate),
                     selectionOf(command.selection));
        return CommandResult{};
      case CommandKind::kOuterStep:
        outerStep(*space_, *at(optimizers_, command.optimizer, "optimizer"), markOf(command.target),
                  selectionOf(command.selection));
        return CommandResult{};
      case CommandKind::kRelease:
        space_->release(markOf(command.target));
        marks_.erase(command.target);
        return CommandResult{};
      case CommandKind::kRun: {
        const Pass pass = runPass(command, command.pass, orderOf(command, orders), false);
        if (pass.interruptedAt > 0) {
          interrupted = {pass.interruptedAt, pass.lossSum, pass.result.rows};
          return std::nullopt;
        }
        return pass.result;
      }
      case CommandKind::kConverge:
        return converge(command, orders);
      case CommandKind::kEvaluate:
        return command.passes > 0 ? evaluateTuned(command)
                                  : evaluate(command.split, command.domain, command.overlay);
      case CommandKind::kResetOptimizer:
        at(optimizers_, command.optimizer, "optimizer")->reset();
        return CommandResult{};
      case CommandKind::kBufferZero: {
        auto& buffer = buffers_[command.target];
        if (!buffer) buffer = std::make_unique<GradientBuffer>(*space_);
        buffer->zero();
        return CommandResult{};
      }
      case CommandKind::kBufferAdd:
        bufferOf(command.target).add(bufferOf(command.other), static_cast<float>(command.rate));
        return CommandResult{};
      case CommandKind::kBufferScale:
        bufferOf(command.target).scale(static_cast<float>(command.rate));
        return CommandResult{};
      case CommandKind::kBufferProject:
        bufferOf(command.target).project(bufferOf(command.other));
        return CommandResult{};
      case CommandKind::kBufferAddChange:
        addChange(bufferOf(command.target), markOf(command.other), command.overlay, command.rate);
        return CommandResult{};
      case CommandKind::kBufferApply: {
        OpenOverlay overlay(*space_, command.overlay);
        apply(bufferOf(command.target), command.optimizer, command.clip,
              selectionOf(command.selection));
        overlay.keep();
        buffers_.erase(command.target);
        return CommandResult{};
      }
      case CommandKind::kBufferDot: {
        CommandResult result;
        result.value = bufferOf(command.target).dot(bufferOf(command.other));
        return result;
      }
      case CommandKind::kDropOverlay:
        space_->dropOverlay(command.domain);
        return CommandResult{};
      case CommandKind::kSlots:
        if (command.target >= 0) rowsOf(at(splits_, 0, "split"), command.target);
        batch_.shareSlot(command.target);
        return CommandResult{};
      case CommandKind::kBroadcast:
        broadcast(command.target, at(selections_, command.selection, "selection"));
        return CommandResult{};
    }
    throw Error(ErrorKind::kConfig, "unknown command");
  }

  // Copies a slot of the selected banks to all their other slots.
  void broadcast(int32_t slot, const Selection& banks) {
    for (int p = 0; p < space_->parameterCount(); ++p) {
      if (!banks[static_cast<size_t>(p)]) continue;
      const ParameterSpec& spec = space_->parameter(p);
      if (spec.kind != ParameterKind::kTable || slot < 0 || slot >= spec.shape[0]) {
        throw Error(ErrorKind::kConfig, "broadcast of '" + spec.name + "' " + toString(spec.shape) +
                                            ": it has no slot " + std::to_string(slot));
      }
      std::vector<uint32_t> others;
      for (int64_t other = 0; other < spec.shape[0]; ++other) {
        if (other != slot) others.push_back(static_cast<uint32_t>(other));
      }
      space_->touch(space_->regionOf(p), others);
      float* values = space_->data(p);
      const int64_t size = spec.shape[1];
      for (const uint32_t other : others) {
        std::copy_n(values + slot * size, size, values + other * size);
      }
    }
  }

  // Closes the overlay of a run; an error drops what the run did to it.
  class OpenOverlay {
   public:
    OpenOverlay(ParameterSpace& space, OverlayId domain) : space_(space), open_(domain >= 0) {
      if (open_) space_.openOverlay(domain);
    }
    ~OpenOverlay() {
      if (open_) space_.closeOverlay(false);
    }
    OpenOverlay(const OpenOverlay&) = delete;
    OpenOverlay& operator=(const OpenOverlay&) = delete;
    void keep() {
      if (open_) space_.closeOverlay(true);
      open_ = false;
    }

   private:
    ParameterSpace& space_;
    bool open_;
  };

  static std::span<const int32_t> orderOf(const Command& command,
                                          const std::vector<std::vector<int32_t>>& orders) {
    if (command.order < 0) return {};
    return at(orders, command.order, "row order");
  }

  // Rows that a program takes in one go.
  struct Block {
    int32_t domain;  // or Batch::kMixed
    std::span<const int32_t> rows;
  };

  struct Pass {
    CommandResult result;
    double lossSum = 0.0;
    int64_t interruptedAt = 0;  // the step that a cancelled pass has to go on from
  };

  // One pass. Cancellation ends one without overlay between two steps, and with `abandon` any: its
  // caller then undoes what the pass did.
  Pass runPass(const Command& command, int64_t ordinal, std::span<const int32_t> given,
               bool abandon) {
    const SplitData& split = at(splits_, command.split, "split");
    StepProgram& program = at(programs_, command.program, "program");
    order_.begin(split, command, ordinal, given);
    lap(profile_.get(), Profile::kOrderRows);
    OpenOverlay overlay(*space_, command.overlay);
    (buffered(program, command) ? *program.gradient : program.direct).program->beginPass();
    lap(profile_.get(), Profile::kOpenPass);
    Pass pass;
    pass.lossSum = command.resumed.lossSum;
    pass.result.rows = command.resumed.rows;
    pass.result.steps = command.resumed.step;
    for (int64_t step = command.resumed.step; step < order_.steps(); ++step) {
      if (command.maxSteps > 0 && step >= command.maxSteps) break;
      if (cancelled_ && (abandon || command.overlay < 0) && step > command.resumed.step) {
        pass.interruptedAt = step;
        break;
      }
      const std::span<const int32_t> rows = order_.rows(step);
      try {
        pass.lossSum += takeStep(program, command, rows);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kTraining) throw;
        const std::string where = blockDomain_ == Batch::kMixed
                                      ? "mixed domains"
                                      : "domain " + std::to_string(blockDomain_);
        throw Error(ErrorKind::kTraining,
                    where + ", step " + std::to_string(step) + " of the pass: " + error.what());
      }
      pass.result.rows += static_cast<int64_t>(rows.size());
      ++pass.result.steps;
      ++steps_;
    }
    overlay.keep();
    lap(profile_.get(), Profile::kClosePass);
    if (pass.result.rows > 0) {
      pass.result.loss = pass.lossSum / static_cast<double>(pass.result.rows);
    }
    return pass;
  }

  bool clips() const { return options_.clipNorm > 0.0; }

  static int32_t domainOf(const Command& command) {
    return command.mixed || command.blocks ? Batch::kMixed : command.domain;
  }

  // Whether steps have rows of several slots of a program that takes one at a time.
  bool inBlocks(const StepProgram& program, const Command& command) const {
    return domainOf(command) == Batch::kMixed && batch_.sharedSlot() < 0 &&
           program.direct.readsSlot();
  }

  bool buffered(const StepProgram& program, const Command& command) const {
    return program.mode == Mode::kTrain && (clips() || inBlocks(program, command));
  }

  // One step over `rows`; returns the sum of their losses.
  double takeStep(StepProgram& program, const Command& command, std::span<const int32_t> rows) {
    const SplitData& split = order_.source();
    const bool buffers = buffered(program, command);
    const bool gradient = buffers || program.mode == Mode::kGradient;
    beginStep(profile_.get(), gradient ? Profile::kGradientStep : Profile::kTrainStep);
    BoundProgram& bound = buffers ? *program.gradient : program.direct;
    Program::Run run = startRun();
    double scale = 1.0;
    if (program.mode == Mode::kTrain) {
      run.optimizer = at(optimizers_, command.optimizer, "optimizer").get();
      run.gradients = &stepGradient_;
    } else {
      if (!optimizers_.empty()) {
        run.optimizer = at(optimizers_, command.optimizer, "optimizer").get();
      }
      run.gradients = &bufferOf(command.target);
      scale = command.rate;
      if (command.byRows) {
        scale *= static_cast<double>(rows.size()) / static_cast<double>(options_.batchSize);
      }
    }
    if (buffers) stepGradient_.zero();
    if (inBlocks(program, command)) {
      splitByDomain(split, rows);
    } else {
      blocks_.assign(1, {domainOf(command), rows});
    }
    double lossSum = 0.0;
    for (size_t b = 0; b < blocks_.size(); ++b) {
      blockDomain_ = blocks_[b].domain;
      batch_.gather(bound, split, order_.base(), blocks_[b].rows, blocks_[b].domain, run);
      lap(profile_.get(), Profile::kGatherBatch);
      run.step = static_cast<uint64_t>(steps_.load()) | (b << kBlockShift);
      const auto share =
          static_cast<double>(blocks_[b].rows.size()) / static_cast<double>(rows.size());
      run.gradientScale = static_cast<float>(scale * share);
      bound.program->run(run);
      lossSum += static_cast<double>(bound.program->loss()) * static_cast<double>(run.rows);
    }
    blockDomain_ = domainOf(command);
    if (buffers) {
      apply(stepGradient_, command.optimizer, true);
      lap(profile_.get(), Profile::kApplyGradients);
    }
    endStep(profile_.get());
    return lossSum;
  }

  // Groups rows by domain, in order of the domains; each keeps the order of its rows.
  void splitByDomain(const SplitData& split, std::span<const int32_t> rows) {
    grouped_.clear();
    for (const int32_t row : rows) grouped_.emplace_back(domainOfRow(split, row), row);
    std::ranges::stable_sort(grouped_, {}, &std::pair<int32_t, int32_t>::first);
    groupedRows_.clear();
    for (const auto& [domain, row] : grouped_) groupedRows_.push_back(row);
    blocks_.clear();
    for (size_t begin = 0, end = 0; begin < grouped_.size(); begin = end) {
      while (end < grouped_.size() && grouped_[end].first == grouped_[begin].first) ++end;
      blocks_.push_back(
          {grouped_[begin].first, std::span(groupedRows_).subspan(begin, end - begin)});
    }
  }

  // One optimizer step with a gradient, whose norm is clipped first if wanted, as PyTorch's
  // clip_grad_norm_ does.
  void apply(GradientBuffer& gradient, int32_t optimizer, bool clip,
             const Selection* only = nullptr) {
    if (clip && clips()) {
      const double norm = gradient.norm();
      if (!std::isfinite(norm)) {
        throw Error(ErrorKind::kTraining, "the gradient's norm is " + std::to_string(norm) +
                                              "; expected a finite number");
      }
      const double scale = options_.clipNorm / (norm + 1e-6);
      if (scale < 1.0) gradient.scale(static_cast<float>(scale));
    }
    gradient.apply(*space_, *at(optimizers_, optimizer, "optimizer"), only);
  }

  // A mark that does not outlive its scope. end() tells what its destructor cannot.
  class ScopedMark {
   public:
    explicit ScopedMark(ParameterSpace& space) : space_(space), id_(space.mark()) {}
    ~ScopedMark() {
      try {
        end();
      } catch (const std::exception&) {
        // Another error is on its way already.
      }
    }
    ScopedMark(const ScopedMark&) = delete;
    ScopedMark& operator=(const ScopedMark&) = delete;
    void end() {
      if (!std::exchange(ended_, true)) space_.release(id_);
    }
    MarkId id() const { return id_; }

   private:
    ParameterSpace& space_;
    MarkId id_;
    bool ended_ = false;
  };

  // Higher is better: AUC, or the negative loss where one class is missing.
  static double scoreOf(const CommandResult& evaluated) {
    return std::isnan(evaluated.auc) ? -evaluated.loss : evaluated.auc;
  }

  // Passes over one domain until `patience` of them have not raised its score on split `other` by
  // more than `rate`; the best pass's values stay. The optimizer starts anew. A cancelled one is
  // undone, so that it can be done again. Without rows to score, one pass is made.
  std::optional<CommandResult> converge(const Command& command,
                                        const std::vector<std::vector<int32_t>>& orders) {
    const int64_t rows = rowsOf(at(splits_, command.split, "split"), command.domain).count;
    const std::span<const int32_t> given = orderOf(command, orders);
    const int64_t passes = std::max<int64_t>(1, command.passes);
    if (!given.empty() && static_cast<int64_t>(given.size()) != passes * rows) {
      throw Error(ErrorKind::kData, "row order: " + std::to_string(given.size()) +
                                        " rows; expected " + std::to_string(passes) +
                                        " passes of " + std::to_string(rows));
    }
    const int64_t firstStep = steps_;
    at(optimizers_, command.optimizer, "optimizer")->reset();
    ScopedMark start(*space_);
    std::optional<ScopedMark> best;
    CommandResult total, kept;
    double bestScore = 0.0;
    int64_t waited = 0;
    for (int64_t number = 0; number < passes; ++number) {
      const auto own = given.empty() ? given
                                     : given.subspan(static_cast<size_t>(number * rows),
                                                     static_cast<size_t>(rows));
      const Pass pass = runPass(command, command.pass + number, own, true);
      const std::optional<CommandResult> scored =
          pass.interruptedAt > 0 ? std::nullopt
                                 : evaluate(command.other, command.domain, command.overlay);
      if (!scored) {
        space_->restore(start.id());
        if (best) best->end();
        start.end();
        // What rows lack of the pass is undone with it.
        at(optimizers_, command.optimizer, "optimizer")->reset();
        steps_ = firstStep;
        return std::nullopt;
      }
      total.rows += pass.result.rows;
      total.steps += pass.result.steps;
      if (!best || scoreOf(*scored) > bestScore + command.rate) {
        if (best) best->end();
        best.emplace(*space_);
        bestScore = scoreOf(*scored);
        kept = {pass.result.loss, scored->auc, 0, 0};
        waited = 0;
      } else if (++waited >= command.patience) {
        break;
      }
      if (scored->rows == 0) break;
    }
    space_->restore(best->id());
    best->end();
    start.end();
    return CommandResult{kept.loss, kept.auc, total.rows, total.steps};
  }

  // The score of a domain behind passes over its rows in split `other`, by an optimizer that starts
  // anew. Nothing is left of them, nor of those of a cancelled one, not even in the dropout to
  // come.
  std::optional<CommandResult> evaluateTuned(const Command& command) {
    const int64_t firstStep = steps_;
    at(optimizers_, command.optimizer, "optimizer")->reset();
    ScopedMark start(*space_);
    Command tuning = command;
    tuning.split = command.other;
    bool stopped = false;
    for (int64_t number = 0; number < command.passes && !stopped; ++number) {
      stopped = runPass(tuning, command.pass + number, {}, true).interruptedAt > 0;
    }
    std::optional<CommandResult> scored;
    if (!stopped) scored = evaluate(command.split, command.domain, command.overlay);
    space_->restore(start.id());
    start.end();
    // What rows lack of its steps is undone with them.
    at(optimizers_, command.optimizer, "optimizer")->reset();
    steps_ = firstStep;
    return scored;
  }

  Program::Run startRun() {
    Program::Run run;
    run.pool = pool_.get();
    run.seed = options_.seed;
    run.profile = profile_.get();
    return run;
  }

  // Calls use(logits, labels, rows) for a domain's rows of a split, block by block, and returns
  // their mean loss; nothing when it was cancelled on the way.
  template <typename Use>
  std::optional<double> scoreRows(int splitIndex, int32_t domain, OverlayId overlay, bool stoppable,
                                  Use&& use) {
    if (!evaluation_) {
      throw Error(ErrorKind::kConfig, "the session has no evaluation program");
    }
    settleBut(-1);
    const SplitData& split = at(splits_, splitIndex, "split");
    const RowRange range = rowsOf(split, domain);
    Program::Run run = startRun();
    if (overlay >= 0 && space_->hasOverlay(overlay)) {
      run.overlay = overlay;
      effectiveDense_.resize(static_cast<size_t>(space_->unitCount(0) * kDenseBlock));
      space_->gatherDense(overlay, effectiveDense_.data());
      run.dense = effectiveDense_.data();
    }
    const int64_t windowRows =
        std::max(kEvaluationRows, split.windowRows / kEvaluationRows * kEvaluationRows);
    if (split.file) order_.stream().begin(split.file, consecutive(range, windowRows));
    double lossSum = 0.0;
    for (int64_t begin = 0; begin < range.count; begin += kEvaluationRows) {
      if (stoppable && cancelled_) return std::nullopt;
      run.rows = std::min(kEvaluationRows, range.count - begin);
      beginStep(profile_.get(), Profile::kEvaluationStep);
      const SplitData& source =
          split.file ? order_.stream().window(begin / windowRows).rows : split;
      const int64_t first = split.file ? begin % windowRows : range.begin + begin;
      batch_.view(*evaluation_, source, first, domain, run);
      lap(profile_.get(), Profile::kGatherBatch);
      evaluation_->program->run(run);
      endStep(profile_.get());
      lossSum += static_cast<double>(evaluation_->program->loss()) * static_cast<double>(run.rows);
      use(evaluation_->program->output(), source.labels + first, run.rows);
    }
    return range.count > 0 ? lossSum / static_cast<double>(range.count) : 0.0;
  }

  // Nothing when it was cancelled on the way.
  std::optional<CommandResult> evaluate(int splitIndex, int32_t domain, OverlayId overlay) {
    const SplitData& split = at(splits_, splitIndex, "split");
    CommandResult result;
    result.rows = rowsOf(split, domain).count;
    // Of rows on disk there may be more than memory has room for.
    const int64_t most = split.file ? std::max(kEvaluationRows, split.windowRows / 4) : result.rows;
    cpu::Ranking ranking(*pool_, std::min(result.rows, most), options_.spillFolder);
    const std::optional<double> loss =
        scoreRows(splitIndex, domain, overlay, /*stoppable=*/true,
                  [&](const float* logits, const float* labels, int64_t rows) {
                    ranking.add(logits, labels, rows);
                    lap(profile_.get(), Profile::kAuc);
                  });
    if (!loss) return std::nullopt;
    result.loss = *loss;
    result.auc = ranking.auc();
    lap(profile_.get(), Profile::kAuc);
    return result;
  }

  std::shared_ptr<ParameterSpace> space_;
  std::shared_ptr<ThreadPool> pool_;
  Options options_;
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

Session::Session(std::shared_ptr<ParameterSpace> space, std::shared_ptr<ThreadPool> pool,
                 Options options)
    : impl_(std::make_unique<Impl>(std::move(space), std::move(pool), options)) {}
Session::~Session() = default;
int Session::addSplit(SplitData split) { return impl_->addSplit(std::move(split)); }
int Session::addOptimizer(OptimizerSpec spec, std::shared_ptr<OptimizerState> state) {
  return impl_->addOptimizer(spec, std::move(state));
}
std::shared_ptr<OptimizerState> Session::optimizer(int index) { return impl_->optimizer(index); }
int Session::addSelection(Selection selection) { return impl_->addSelection(std::move(selection)); }
int Session::addTrainingProgram(const Graph& graph, ProgramOptions options) {
  return impl_->addProgram(graph, std::move(options), Mode::kTrain);
}
int Session::addGradientProgram(const Graph& graph, ProgramOptions options) {
  return impl_->addProgram(graph, std::move(options), Mode::kGradient);
}
void Session::setEvaluationProgram(const Graph& graph, ProgramOptions options) {
  impl_->setEvaluationProgram(graph, std::move(options));
}
void Session::startProfile() { impl_->startProfile(); }
const Profile* Session::profile() const { return impl_->profile(); }
RunOutcome Session::run(const std::vector<Command>& commands,
                        const std::vector<std::vector<int32_t>>& orders) {
  return impl_->run(commands, orders);
}
void Session::cancel() { impl_->cancel(); }
int64_t Session::stepsDone() const { return impl_->stepsDone(); }
bool Session::leased() const { return impl_->leased(); }
std::vector<float> Session::scores(int split, int32_t domain, OverlayId overlay) {
  return impl_->scores(split, domain, overlay);
}
void Session::settle() { impl_->settle(); }
void Session::save(const std::string& path) const { impl_->save(path); }
void Session::load(const std::string& path) { impl_->load(path); }

}  // namespace polydomain
