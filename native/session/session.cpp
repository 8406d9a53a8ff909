#include "polydomain/session.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <span>

#include "batch.h"
#include "cpu/auc.h"
#include "cpu/elementwise.h"
#include "polydomain/error.h"
#include "space/serialize.h"
#include "state_file.h"

namespace polydomain {

namespace {

constexpr uint64_t kRowStream = streamOf("rows");
constexpr uint64_t kShareStream = streamOf("shares");
constexpr int64_t kEvaluationRows = 4096;

template <typename Items>
auto& at(Items& items, int64_t index, const char* what) {
  if (index < 0 || index >= static_cast<int64_t>(items.size())) {
    throw Error(ErrorKind::kConfig, std::string(what) + " " + std::to_string(index) +
                                        " is unknown; there are " + std::to_string(items.size()));
  }
  return items[static_cast<size_t>(index)];
}

}  // namespace

class Session::Impl {
 public:
  Impl(std::shared_ptr<ParameterSpace> space, std::shared_ptr<ThreadPool> pool, Options options)
      : space_(std::move(space)),
        pool_(std::move(pool)),
        options_(options),
        trainable_(space_->trainable()),
        allTrainable_(std::find(trainable_.begin(), trainable_.end(), false) == trainable_.end()) {
    if (options_.batchSize < 1) {
      throw Error(ErrorKind::kConfig, "batchSize: " + std::to_string(options_.batchSize) +
                                          "; expected an integer of 1 at least");
    }
  }

  // What a session leaves open would be journalled for ever.
  ~Impl() {
    for (const auto& [id, mark] : marks_) space_->release(mark);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  int addSplit(SplitData split) {
    splits_.push_back(std::move(split));
    return static_cast<int>(splits_.size()) - 1;
  }

  int addOptimizer(OptimizerSpec spec) {
    optimizers_.push_back(std::make_unique<OptimizerState>(*space_, spec));
    return static_cast<int>(optimizers_.size()) - 1;
  }

  int addSelection(Selection selection) {
    selections_.push_back(space_->trainable(std::move(selection)));
    return static_cast<int>(selections_.size()) - 1;
  }

  int addProgram(const Graph& graph, ProgramOptions options, Mode mode) {
    options.mode = mode;
    programs_.emplace_back(graph, *space_, std::move(options));
    modes_.push_back(mode);
    return static_cast<int>(programs_.size()) - 1;
  }

  void setEvaluationProgram(const Graph& graph, ProgramOptions options) {
    options.mode = Mode::kEvaluate;
    checkedPrograms_ = 0;
    evaluation_.emplace(graph, *space_, std::move(options));
  }

  void setLearningRate(int optimizer, double rate) {
    at(optimizers_, optimizer, "optimizer")->spec().learningRate = static_cast<float>(rate);
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
      const std::optional<CommandResult> result = execute(command, orders, outcome.interruption);
      if (!result) break;
      outcome.results.push_back(*result);
      ++outcome.completed;
    }
    return outcome;
  }

  void cancel() { cancelled_ = true; }
  int64_t stepsDone() const { return steps_; }
  int64_t rowsDone() const { return rows_; }
  bool leased() const { return leased_; }

  std::vector<float> scores(int split, int32_t domain, OverlayId overlay) {
    const Lease lease(*this);
    const ScopedFlushDenormals flush;
    checkSplits();
    std::vector<float> logits;
    evaluate(split, domain, overlay, &logits);
    cpu::unary(*pool_, cpu::Unary::kSigmoid, {}, logits.data(), logits.data(),
               static_cast<int64_t>(logits.size()));
    return logits;
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
      for (const BoundProgram& bound : programs_) bound.check(split);
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

  // The way back to a mark as a gradient: buffer += scale * (saved - value).
  void addChange(GradientBuffer& buffer, MarkId mark, double scale) {
    std::vector<float> way;
    space_->visitSharedChanges(mark, [&](const Change& change) {
      way.resize(static_cast<size_t>(change.size));
      for (int64_t i = 0; i < change.size; ++i) {
        way[static_cast<size_t>(i)] = change.saved[i] - change.value[i];
      }
      buffer.addUnits(change.region, change.unit, 1, way.data(), static_cast<float>(scale));
    });
  }

  const Selection* selectionOf(int32_t index) {
    if (index >= 0) return &at(selections_, index, "selection");
    return allTrainable_ ? nullptr : &trainable_;
  }

  // Nothing when it was cancelled on the way; `interrupted` then tells where to go on.
  std::optional<CommandResult> execute(const Command& command,
                                       const std::vector<std::vector<int32_t>>& orders,
                                       Interruption& interrupted) {
    switch (command.kind) {
      case CommandKind::kMark:
        if (marks_.contains(command.target)) {
          throw Error(ErrorKind::kConfig,
                      "mark " + std::to_string(command.target) + " is open already");
        }
        marks_[command.target] = space_->mark();
        return CommandResult{};
      case CommandKind::kRestore:
        space_->restore(markOf(command.target),
                        command.untrained ? nullptr : selectionOf(command.selection));
        return CommandResult{};
      case CommandKind::kLerp:
        space_->lerp(markOf(command.target), static_cast<float>(command.rate),
                     selectionOf(command.selection));
        return CommandResult{};
      case CommandKind::kOuterStep:
        outerStep(*space_, *at(optimizers_, command.optimizer, "optimizer"), markOf(command.target),
                  *pool_);
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
        return evaluate(command.split, command.domain, command.overlay, nullptr);
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
        addChange(bufferOf(command.target), markOf(command.other), command.rate);
        return CommandResult{};
      case CommandKind::kBufferApply:
        bufferOf(command.target)
            .apply(*space_, *at(optimizers_, command.optimizer, "optimizer"), *pool_);
        buffers_.erase(command.target);
        return CommandResult{};
      case CommandKind::kDropOverlay:
        space_->dropOverlay(command.domain);
        return CommandResult{};
    }
    throw Error(ErrorKind::kConfig, "unknown command");
  }

  struct Range {
    int64_t begin, count;
  };
  Range rowsOf(const SplitData& split, int32_t domain) const {
    const auto domains = static_cast<int64_t>(split.domainOffsets.size()) - 1;
    if (domain < 0 || domain >= domains) {
      throw Error(ErrorKind::kConfig, "domain " + std::to_string(domain) + "; expected 0 to " +
                                          std::to_string(domains - 1));
    }
    const int64_t begin = split.domainOffsets[static_cast<size_t>(domain)];
    return {begin, split.domainOffsets[static_cast<size_t>(domain) + 1] - begin};
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

  // The rows of a pass: those of `given`, or those of the command's share, shuffled by the pass's
  // number.
  void orderRows(const Command& command, int64_t pass, int64_t count,
                 std::span<const int32_t> given) {
    if (given.empty()) {
      const auto border = [&](double share) {
        return std::clamp<int64_t>(std::llround(share * static_cast<double>(count)), 0, count);
      };
      const int64_t first = border(command.shareFrom);
      const int64_t rows = std::max<int64_t>(0, border(command.shareTo) - first);
      order_.resize(static_cast<size_t>(rows));
      fillPermutation({options_.seed, kRowStream, static_cast<uint64_t>(pass)}, rows,
                      order_.data());
      if (rows == count) return;
      share_.resize(static_cast<size_t>(count));
      fillPermutation({options_.seed, kShareStream, static_cast<uint64_t>(command.domain)}, count,
                      share_.data());
      for (int32_t& row : order_) row = share_[static_cast<size_t>(first + row)];
      return;
    }
    order_.assign(given.begin(), given.end());
    for (const int32_t row : order_) {
      if (row >= 0 && row < count) continue;
      throw Error(ErrorKind::kData, "row order: row " + std::to_string(row) + "; the domain has " +
                                        std::to_string(count) + " rows");
    }
  }

  struct Pass {
    CommandResult result;
    double lossSum = 0.0;
    int64_t interruptedAt = 0;  // the step that a cancelled pass has to go on from
  };

  // One pass over a domain's rows. Cancellation ends one without overlay between two steps, and
  // with `abandon` any: its caller then undoes what the pass did.
  Pass runPass(const Command& command, int64_t ordinal, std::span<const int32_t> given,
               bool abandon) {
    const SplitData& split = at(splits_, command.split, "split");
    BoundProgram& bound = at(programs_, command.program, "program");
    const Mode mode = modes_[static_cast<size_t>(command.program)];
    const Range range = command.mixed ? Range{0, split.rows} : rowsOf(split, command.domain);
    orderRows(command, ordinal, range.count, given);
    Program::Run run = startRun();
    if (mode == Mode::kTrain) {
      run.optimizer = at(optimizers_, command.optimizer, "optimizer").get();
    } else {
      run.gradients = &bufferOf(command.target);
      run.gradientScale = static_cast<float>(command.rate);
    }

    OpenOverlay overlay(*space_, command.overlay);
    bound.program->beginPass();
    Pass pass;
    pass.lossSum = command.resumed.lossSum;
    pass.result.rows = command.resumed.rows;
    pass.result.steps = command.resumed.step;
    const auto total = static_cast<int64_t>(order_.size());
    for (int64_t step = 0; step * options_.batchSize < total; ++step) {
      if (command.maxSteps > 0 && step >= command.maxSteps) break;
      if (step < command.resumed.step) continue;
      if (cancelled_ && (abandon || command.overlay < 0) && step > command.resumed.step) {
        pass.interruptedAt = step;
        break;
      }
      const int64_t begin = step * options_.batchSize;
      const std::span<const int32_t> rows(
          order_.data() + begin, order_.data() + std::min(begin + options_.batchSize, total));
      batch_.gather(bound, split, range.begin, rows, command.mixed ? Batch::kMixed : command.domain,
                    run);
      run.step = static_cast<uint64_t>(steps_.load());
      try {
        bound.program->run(run);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kTraining) throw;
        const std::string where =
            command.mixed ? "mixed domains" : "domain " + std::to_string(command.domain);
        throw Error(ErrorKind::kTraining,
                    where + ", step " + std::to_string(step) + " of the pass: " + error.what());
      }
      pass.lossSum += static_cast<double>(bound.program->loss()) * static_cast<double>(run.rows);
      pass.result.rows += run.rows;
      ++pass.result.steps;
      ++steps_;
      rows_ += run.rows;
    }
    overlay.keep();
    if (pass.result.rows > 0) {
      pass.result.loss = pass.lossSum / static_cast<double>(pass.result.rows);
    }
    return pass;
  }

  // A mark that does not outlive its scope.
  class ScopedMark {
   public:
    explicit ScopedMark(ParameterSpace& space) : space_(space), id_(space.mark()) {}
    ~ScopedMark() { space_.release(id_); }
    ScopedMark(const ScopedMark&) = delete;
    ScopedMark& operator=(const ScopedMark&) = delete;
    MarkId id() const { return id_; }

   private:
    ParameterSpace& space_;
    MarkId id_;
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
    const ScopedMark start(*space_);
    std::optional<ScopedMark> best;
    CommandResult total, kept;
    double bestScore = 0.0;
    int64_t waited = 0;
    for (int64_t number = 0; number < passes; ++number) {
      const auto own = given.empty() ? given
                                     : given.subspan(static_cast<size_t>(number * rows),
                                                     static_cast<size_t>(rows));
      const Pass pass = runPass(command, command.pass + number, own, true);
      if (pass.interruptedAt > 0 || cancelled_) {
        space_->restore(start.id());
        steps_ = firstStep;
        return std::nullopt;
      }
      total.rows += pass.result.rows;
      total.steps += pass.result.steps;
      const CommandResult scored =
          evaluate(command.other, command.domain, command.overlay, nullptr);
      if (!best || scoreOf(scored) > bestScore + command.rate) {
        best.emplace(*space_);
        bestScore = scoreOf(scored);
        kept = {pass.result.loss, scored.auc, 0, 0};
        waited = 0;
      } else if (++waited >= command.patience) {
        break;
      }
      if (scored.rows == 0) break;
    }
    space_->restore(best->id());
    return CommandResult{kept.loss, kept.auc, total.rows, total.steps};
  }

  Program::Run startRun() {
    Program::Run run;
    run.pool = pool_.get();
    run.seed = options_.seed;
    return run;
  }

  CommandResult evaluate(int splitIndex, int32_t domain, OverlayId overlay,
                         std::vector<float>* logitsOut) {
    if (!evaluation_) {
      throw Error(ErrorKind::kConfig, "the session has no evaluation program");
    }
    const SplitData& split = at(splits_, splitIndex, "split");
    const Range range = rowsOf(split, domain);
    Program::Run run = startRun();
    if (overlay >= 0 && space_->hasOverlay(overlay)) {
      run.overlay = overlay;
      effectiveDense_.resize(static_cast<size_t>(space_->unitCount(0) * kDenseBlock));
      space_->gatherDense(overlay, effectiveDense_.data());
      run.dense = effectiveDense_.data();
    }
    logits_.resize(static_cast<size_t>(range.count));
    double lossSum = 0.0;
    for (int64_t begin = 0; begin < range.count; begin += kEvaluationRows) {
      run.rows = std::min(kEvaluationRows, range.count - begin);
      batch_.view(*evaluation_, split, range.begin + begin, domain, run);
      evaluation_->program->run(run);
      lossSum += static_cast<double>(evaluation_->program->loss()) * static_cast<double>(run.rows);
      std::copy_n(evaluation_->program->output(), run.rows, logits_.data() + begin);
    }
    CommandResult result;
    result.rows = range.count;
    result.loss = range.count > 0 ? lossSum / static_cast<double>(range.count) : 0.0;
    result.auc = cpu::auc(*pool_, logits_.data(), split.labels + range.begin, range.count);
    if (logitsOut != nullptr) *logitsOut = logits_;
    return result;
  }

  std::shared_ptr<ParameterSpace> space_;
  std::shared_ptr<ThreadPool> pool_;
  Options options_;
  std::vector<SplitData> splits_;
  std::vector<std::unique_ptr<OptimizerState>> optimizers_;
  std::vector<Selection> selections_;
  Selection trainable_;
  bool allTrainable_;
  std::vector<BoundProgram> programs_;
  std::vector<Mode> modes_;
  std::optional<BoundProgram> evaluation_;
  size_t checkedSplits_ = 0, checkedPrograms_ = 0;
  std::map<int32_t, MarkId> marks_;  // by the strategy's ids
  std::map<int32_t, std::unique_ptr<GradientBuffer>> buffers_;
  std::atomic<bool> leased_ = false, cancelled_ = false;
  std::atomic<int64_t> steps_ = 0, rows_ = 0;

  // Kept between steps, so that they allocate nothing.
  std::vector<int32_t> order_, share_;
  Batch batch_;
  std::vector<float> logits_, effectiveDense_;
};

Session::Session(std::shared_ptr<ParameterSpace> space, std::shared_ptr<ThreadPool> pool,
                 Options options)
    : impl_(std::make_unique<Impl>(std::move(space), std::move(pool), options)) {}
Session::~Session() = default;
int Session::addSplit(SplitData split) { return impl_->addSplit(std::move(split)); }
int Session::addOptimizer(OptimizerSpec spec) { return impl_->addOptimizer(spec); }
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
void Session::setLearningRate(int optimizer, double rate) {
  impl_->setLearningRate(optimizer, rate);
}
RunOutcome Session::run(const std::vector<Command>& commands,
                        const std::vector<std::vector<int32_t>>& orders) {
  return impl_->run(commands, orders);
}
void Session::cancel() { impl_->cancel(); }
int64_t Session::stepsDone() const { return impl_->stepsDone(); }
int64_t Session::rowsDone() const { return impl_->rowsDone(); }
bool Session::leased() const { return impl_->leased(); }
std::vector<float> Session::scores(int split, int32_t domain, OverlayId overlay) {
  return impl_->scores(split, domain, overlay);
}
void Session::save(const std::string& path) const { impl_->save(path); }
void Session::load(const std::string& path) { impl_->load(path); }

}  // namespace polydomain
