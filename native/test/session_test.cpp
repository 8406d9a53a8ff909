#include "polydomain/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "disk.h"
#include "failure.h"
#include "mlp.h"

namespace polydomain {
namespace {

// Called with the step before every training step; lets a test act at a certain one.
std::function<void(uint64_t step)> observer;

// The identity, which tells the observer.
const std::string& observingOp() {
  static const std::string name = [] {
    OpDefinition op;
    op.name = "test_observe";
    op.type = [](const Attributes&, std::span<const TensorType> inputs) { return inputs[0]; };
    op.cpu = [](const RunContext& context, const Attributes&, std::span<const TensorView> inputs,
                const TensorView& output) {
      std::copy_n(inputs[0].f32(), inputs[0].size(), output.f32());
      if (observer) observer(context.step);
    };
    OpRegistry::instance().add(op);
    return op.name;
  }();
  return name;
}

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void writeFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Rows of three domains of different size; the last has none.
struct Rows {
  Rows(int64_t rows, uint64_t step)
      : users(mlp::randomIds(rows, mlp::kUsers, 2 * step)),
        items(mlp::randomIds(rows, mlp::kItems, 2 * step + 1)),
        labels(mlp::randomLabels(rows, step)),
        count(rows) {}
  SplitData split() const {
    SplitData data;
    data.rows = count;
    data.ids = {users.data(), items.data()};
    data.labels = labels.data();
    data.domainOffsets = {0, count * 3 / 5, count, count};
    return data;
  }
  std::vector<int32_t> users, items;
  std::vector<float> labels;
  int64_t count;
};

constexpr int kTrain = 0, kValid = 1;  // splits
constexpr int kAdam = 0, kSgd = 1;     // optimizers
constexpr int64_t kBatch = 16;
constexpr int64_t kRowsOfDomain0 = 300, kStepsOfDomain0 = 19;

// Everything that a checkpoint holds: values, overlays, marks, optimizers, steps.
struct State {
  std::string bytes;
  bool operator==(const State&) const = default;
  // Thousands of bytes tell nobody where they differ.
  friend void PrintTo(const State& state, std::ostream* out) {
    *out << state.bytes.size() << " bytes, hash " << std::hash<std::string>()(state.bytes);
  }
};

// A session over a space, data and programs of its own.
class Trainer {
 public:
  explicit Trainer(std::vector<ParameterSpec> parameters = mlp::parameters(), int optimizers = 2,
                   double clipNorm = 0.0)
      : space_(std::make_shared<ParameterSpace>(std::move(parameters), 5)),
        session_(space_, std::make_shared<ThreadPool>(2), {kBatch, 3, clipNorm}) {
    session_.addSplit(train_.split());
    session_.addSplit(valid_.split());
    OptimizerSpec adam;
    adam.learningRate = 0.02f;
    if (optimizers > 0) session_.addOptimizer(adam);
    OptimizerSpec sgd;
    sgd.kind = OptimizerKind::kSgd;
    sgd.learningRate = 0.1f;
    sgd.momentum = 0.9f;
    if (optimizers > 1) session_.addOptimizer(sgd);
  }

  // Programs need the parameters of the model, which a foreign space has not.
  Trainer& withPrograms(bool bank = false) {
    const mlp::Model training = mlp::build(0.8, observingOp(), bank);
    const mlp::Model evaluation = mlp::build(0.8, {}, bank);
    session_.addTrainingProgram(training.graph, optionsOf(training));
    session_.addGradientProgram(training.graph, optionsOf(training));
    session_.setEvaluationProgram(evaluation.graph, optionsOf(evaluation));
    return *this;
  }

  Session& session() { return session_; }
  ParameterSpace& space() { return *space_; }
  RunOutcome run(const std::vector<Command>& commands,
                 const std::vector<std::vector<int32_t>>& orders = {}) {
    return session_.run(commands, orders);
  }
  State state() {
    const TemporaryFolder folder;
    session_.save(folder / "state");
    return {readFile(folder / "state")};
  }
  std::vector<float> values() { return mlp::sharedValues(*space_); }
  std::vector<float> slot(int32_t domain) {
    const float* bank = space_->data(space_->find("bank"));
    return {bank + domain * 12, bank + (domain + 1) * 12};
  }

 private:
  static ProgramOptions optionsOf(const mlp::Model& model) {
    ProgramOptions options;
    options.output = model.output;
    options.loss = model.loss;
    return options;
  }
  const Rows train_{500, 1}, valid_{200, 2};
  std::shared_ptr<ParameterSpace> space_;
  Session session_;
};

Command command(CommandKind kind, int32_t target = -1) {
  Command command{};
  command.kind = kind;
  command.target = target;
  return command;
}

Command runOf(int32_t domain, int64_t pass, int32_t overlay = -1, int32_t optimizer = kAdam) {
  Command run = command(CommandKind::kRun);
  run.domain = domain;
  run.pass = pass;
  run.overlay = overlay;
  run.optimizer = optimizer;
  return run;
}

Command evaluationOf(int32_t domain, int32_t overlay = -1) {
  Command evaluate = command(CommandKind::kEvaluate);
  evaluate.domain = domain;
  evaluate.split = kValid;
  evaluate.overlay = overlay;
  return evaluate;
}

Command convergenceOf(int32_t domain, int64_t passes, int64_t patience, double rate = 0.0,
                      int32_t overlay = -1) {
  Command converge = command(CommandKind::kConverge);
  converge.domain = domain;
  converge.passes = passes;
  converge.patience = patience;
  converge.rate = rate;
  converge.overlay = overlay;
  converge.other = kValid;
  return converge;
}

void expectEqual(const RunOutcome& a, const RunOutcome& b) {
  EXPECT_EQ(a.completed, b.completed);
  ASSERT_EQ(a.results.size(), b.results.size());
  for (size_t i = 0; i < a.results.size(); ++i) {
    EXPECT_EQ(a.results[i].loss, b.results[i].loss) << i;
    EXPECT_EQ(a.results[i].auc, b.results[i].auc) << i;
    EXPECT_EQ(a.results[i].rows, b.results[i].rows) << i;
    EXPECT_EQ(a.results[i].steps, b.results[i].steps) << i;
  }
}

class Sessions : public testing::Test {
 protected:
  void TearDown() override { observer = nullptr; }
  // Does `action` in another thread, once, in the middle of training step `at`.
  static void duringStep(uint64_t at, std::function<void()> action) {
    observer = [at, action = std::move(action), done = false](uint64_t step) mutable {
      if (step != at || done) return;
      done = true;
      std::thread(action).join();
    };
  }
};

// --- Checkpoints ---------------------------------------------------------------------------------

using Checkpoints = Sessions;

// An open mark, an overlay and two optimizers.
std::vector<Command> firstHalf() {
  return {runOf(0, 0), command(CommandKind::kMark, 4), runOf(1, 1, -1, kSgd), runOf(1, 2, 1)};
}
std::vector<Command> secondHalf() {
  Command lerp = command(CommandKind::kLerp, 4);
  lerp.rate = 0.3;
  return {runOf(0, 3, -1, kSgd),
          runOf(1, 4, 1),
          lerp,
          command(CommandKind::kRelease, 4),
          runOf(0, 5),
          evaluationOf(0),
          evaluationOf(1, 1)};
}

TEST_F(Checkpoints, ContinueWithTheSameBits) {
  const TemporaryFolder folder;
  Trainer first, second;
  first.withPrograms().run(firstHalf());
  first.session().save(folder / "state");
  EXPECT_EQ(folder.files(), 1u);
  const RunOutcome expected = first.run(secondHalf());

  second.withPrograms().session().load(folder / "state");
  expectEqual(second.run(secondHalf()), expected);
  EXPECT_EQ(second.state(), first.state());
  EXPECT_EQ(second.session().stepsDone(), first.session().stepsDone());
  EXPECT_EQ(second.session().scores(kValid, 1, 1), first.session().scores(kValid, 1, 1));
}

TEST_F(Checkpoints, ReplaceWhatTheSessionDidSince) {
  const TemporaryFolder folder;
  Trainer trainer;
  trainer.withPrograms().run(firstHalf());
  trainer.session().save(folder / "state");
  const State state = trainer.state();
  const RunOutcome once = trainer.run(secondHalf());
  EXPECT_NE(trainer.state(), state);
  trainer.session().load(folder / "state");
  EXPECT_EQ(trainer.state(), state);
  expectEqual(trainer.run(secondHalf()), once);
}

TEST_F(Checkpoints, ThatAreTruncatedOrAlteredAreRefusedAndChangeNothing) {
  const TemporaryFolder folder;
  Trainer trainer;
  trainer.withPrograms().run(firstHalf());
  trainer.session().save(folder / "good");
  const std::string good = readFile(folder / "good");
  trainer.run(secondHalf());
  const State state = trainer.state();

  std::vector<std::string> damaged;
  for (const size_t length :
       {size_t{0}, size_t{5}, size_t{15}, size_t{16}, good.size() / 2, good.size() - 1}) {
    damaged.push_back(good.substr(0, length));
  }
  for (const size_t at : {size_t{3}, size_t{8}, good.size() / 3, good.size() - 1}) {
    damaged.push_back(good);
    damaged.back()[at] ^= 0x10;
  }
  damaged.push_back(good + "more");
  damaged.push_back("{\"format\": \"something else\", \"version\": 3}");
  for (const std::string& bytes : damaged) {
    writeFile(folder / "bad", bytes);
    EXPECT_EQ(kindOfFailure([&] { trainer.session().load(folder / "bad"); }),
              ErrorKind::kCheckpoint)
        << bytes.size() << " bytes";
    ASSERT_EQ(trainer.state(), state);
  }
  EXPECT_EQ(kindOfFailure([&] { trainer.session().load(folder / "missing"); }),
            ErrorKind::kCheckpoint);
  // Still of use.
  trainer.session().load(folder / "good");
  EXPECT_EQ(trainer.state(), State{good});
  trainer.run(secondHalf());
  EXPECT_EQ(trainer.state(), state);
}

// Valid files, of a model with one item more and of a session with one optimizer less.
std::vector<std::string> foreignFiles(const TemporaryFolder& folder) {
  std::vector<ParameterSpec> more = mlp::parameters();
  more[1].shape[0] += 1;
  Trainer model(more), optimizers(mlp::parameters(), 1);
  model.session().save(folder / "model");
  optimizers.session().save(folder / "optimizers");
  return {folder / "model", folder / "optimizers"};
}

TEST_F(Checkpoints, OfAnotherModelAreRefusedAndAGoodOneStillLoads) {
  const TemporaryFolder folder;
  Trainer trainer;
  trainer.withPrograms().run(firstHalf());
  trainer.session().save(folder / "good");
  const State state = trainer.state();
  for (const std::string& file : foreignFiles(folder)) {
    EXPECT_EQ(kindOfFailure([&] { trainer.session().load(file); }), ErrorKind::kCheckpoint);
    EXPECT_FALSE(trainer.session().leased());
    trainer.session().load(folder / "good");
    EXPECT_EQ(trainer.state(), state);
  }
}

TEST_F(Checkpoints, OfAnotherModelChangeNothing) {
  const TemporaryFolder folder;
  for (const std::string& file : foreignFiles(folder)) {
    Trainer trainer;
    trainer.withPrograms().run(firstHalf());
    const State state = trainer.state();
    EXPECT_EQ(kindOfFailure([&] { trainer.session().load(file); }), ErrorKind::kCheckpoint);
    EXPECT_EQ(trainer.state(), state) << file;
    EXPECT_EQ(kindOfFailure([&] { trainer.run({command(CommandKind::kRestore, 4)}); }),
              std::nullopt)
        << file;
  }
}

TEST_F(Checkpoints, LeaveTheOlderFileAloneWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  Trainer trainer;
  trainer.withPrograms().run(firstHalf());
  trainer.session().save(folder / "state");
  const State older{readFile(folder / "state")};
  trainer.run(secondHalf());
  const State state = trainer.state();
  // Nothing fits, a part, and all but the checksum's end.
  for (const size_t room : {size_t{0}, size_t{5000}, state.bytes.size() - 1}) {
    std::optional<ErrorKind> kind;
    {
      const FullDisk full(room);
      kind = kindOfFailure([&] { trainer.session().save(folder / "state"); });
    }
    EXPECT_EQ(kind, ErrorKind::kCheckpoint) << room;
    EXPECT_EQ(State{readFile(folder / "state")}, older) << room;
    EXPECT_EQ(folder.files(), 1u) << "a temporary file remained";
  }
  trainer.session().save(folder / "state");
  EXPECT_EQ(State{readFile(folder / "state")}, state);
}

TEST_F(Checkpoints, NeedAFolderThatExists) {
  const TemporaryFolder folder;
  Trainer trainer;
  EXPECT_EQ(kindOfFailure([&] { trainer.session().save(folder / "missing/state"); }),
            ErrorKind::kCheckpoint);
}

TEST_F(Checkpoints, HoldGradientBuffers) {
  const TemporaryFolder folder;
  Command step = runOf(0, 0, -1, kSgd);
  step.maxSteps = 2;
  step.program = 1;
  step.target = 8;
  step.rate = 1.0;
  Command apply = command(CommandKind::kBufferApply, 8);
  apply.optimizer = kSgd;
  Trainer whole, resumed;
  whole.withPrograms().run({command(CommandKind::kBufferZero, 8), step});
  whole.session().save(folder / "state");
  resumed.withPrograms().session().load(folder / "state");
  for (Trainer* trainer : {&whole, &resumed}) trainer->run({step, apply});
  EXPECT_EQ(resumed.values(), whole.values());
}

// --- Cancellation --------------------------------------------------------------------------------

using Cancellation = Sessions;

TEST_F(Cancellation, EndsARunBetweenStepsAndItGoesOnFromThere) {
  Trainer whole, parts;
  const std::vector<Command> commands = {runOf(0, 0), runOf(1, 1, -1, kSgd)};
  const RunOutcome expected = whole.withPrograms().run(commands);
  parts.withPrograms();
  std::vector<Command> left = commands;
  for (const uint64_t at : {3, 4, 11}) {
    duringStep(at, [&] { parts.session().cancel(); });
    const RunOutcome outcome = parts.run(left);
    ASSERT_EQ(outcome.completed, 0);
    EXPECT_EQ(outcome.interruption.step, static_cast<int64_t>(at) + 1);
    EXPECT_EQ(outcome.interruption.rows, (static_cast<int64_t>(at) + 1) * kBatch);
    EXPECT_EQ(parts.session().stepsDone(), static_cast<int64_t>(at) + 1);
    EXPECT_FALSE(parts.session().leased());
    left[0].resumed = outcome.interruption;
  }
  const RunOutcome outcome = parts.run(left);
  ASSERT_EQ(outcome.completed, 2);
  // The whole pass's, not of its end alone.
  EXPECT_EQ(outcome.results[0].loss, expected.results[0].loss);
  EXPECT_EQ(outcome.results[0].rows, expected.results[0].rows);
  EXPECT_EQ(parts.state(), whole.state());
}

TEST_F(Cancellation, SurvivesACheckpoint) {
  const TemporaryFolder folder;
  Trainer whole, interrupted, resumed;
  whole.withPrograms().run({runOf(0, 0)});
  interrupted.withPrograms();
  duringStep(6, [&] { interrupted.session().cancel(); });
  Command rest = runOf(0, 0);
  rest.resumed = interrupted.run({rest}).interruption;
  interrupted.session().save(folder / "state");
  resumed.withPrograms().session().load(folder / "state");
  resumed.run({rest});
  EXPECT_EQ(resumed.state(), whole.state());
}

TEST_F(Cancellation, InTheLastStepOfACommandEndsBeforeTheNext) {
  Trainer trainer;
  trainer.withPrograms();
  duringStep(kStepsOfDomain0 - 1, [&] { trainer.session().cancel(); });
  const RunOutcome outcome = trainer.run({runOf(0, 0), runOf(0, 1)});
  EXPECT_EQ(outcome.completed, 1);
  EXPECT_EQ(outcome.interruption.step, 0);
  EXPECT_EQ(trainer.session().stepsDone(), kStepsOfDomain0);
}

// An overlay is formed for the whole of a pass.
TEST_F(Cancellation, WaitsForTheEndOfAPassOverAnOverlay) {
  Trainer trainer;
  trainer.withPrograms();
  duringStep(2, [&] { trainer.session().cancel(); });
  const RunOutcome outcome = trainer.run({runOf(0, 0, 0), runOf(1, 0, 1)});
  EXPECT_EQ(outcome.completed, 1);
  EXPECT_EQ(outcome.interruption.step, 0);
  EXPECT_EQ(trainer.session().stepsDone(), kStepsOfDomain0);
  EXPECT_FALSE(trainer.space().overlayOpen());
}

TEST_F(Cancellation, CountsFromBeforeARunUntilItsEnd) {
  Trainer trainer;
  trainer.withPrograms().session().cancel();
  EXPECT_EQ(trainer.run({runOf(0, 0)}).completed, 0);
  EXPECT_EQ(trainer.run({runOf(0, 0)}).completed, 1);
}

TEST_F(Sessions, RefuseOtherCallersWhileTheyRun) {
  const TemporaryFolder folder;
  Trainer trainer;
  trainer.withPrograms();
  std::vector<std::optional<ErrorKind>> kinds;
  bool leased = false;
  duringStep(5, [&] {
    leased = trainer.session().leased();
    kinds.push_back(kindOfFailure([&] { trainer.run({evaluationOf(0)}); }));
    kinds.push_back(kindOfFailure([&] { trainer.session().scores(kValid, 0, -1); }));
    kinds.push_back(kindOfFailure([&] { trainer.session().save(folder / "state"); }));
    kinds.push_back(kindOfFailure([&] { trainer.session().load(folder / "state"); }));
  });
  EXPECT_EQ(trainer.run({runOf(0, 0)}).completed, 1);
  EXPECT_TRUE(leased);
  EXPECT_EQ(kinds, std::vector<std::optional<ErrorKind>>(4, ErrorKind::kBusy));
  EXPECT_FALSE(trainer.session().leased());
}

TEST_F(Sessions, CountStepsForOtherThreads) {
  Trainer trainer;
  trainer.withPrograms();
  int64_t steps = 0;
  duringStep(5, [&] { steps = trainer.session().stepsDone(); });
  const RunOutcome outcome = trainer.run({runOf(0, 0)});
  EXPECT_EQ(steps, 5);
  EXPECT_EQ(outcome.results[0].steps, kStepsOfDomain0);
  EXPECT_EQ(outcome.results[0].rows, kRowsOfDomain0);
}

// --- Failures ------------------------------------------------------------------------------------

// Its optimizer kDiverging makes steps that nothing survives.
constexpr int kDiverging = 2;
Trainer& diverging(Trainer& trainer) {
  OptimizerSpec sgd;
  sgd.kind = OptimizerKind::kSgd;
  sgd.learningRate = 1e30f;
  EXPECT_EQ(trainer.withPrograms().session().addOptimizer(sgd), kDiverging);
  return trainer;
}

TEST_F(Sessions, NameDomainAndStepOfALossThatIsNotFinite) {
  for (const int32_t overlay : {-1, 0}) {
    Trainer trainer;
    diverging(trainer);
    const std::vector<float> before = trainer.values();
    std::string message;
    EXPECT_EQ(kindOfFailure([&] { trainer.run({runOf(0, 0, overlay, kDiverging)}); }, &message),
              ErrorKind::kTraining);
    EXPECT_NE(message.find("domain 0, step "), std::string::npos) << message;
    EXPECT_FALSE(trainer.session().leased());
    EXPECT_FALSE(trainer.space().overlayOpen());
    if (overlay < 0) continue;
    EXPECT_EQ(trainer.values(), before) << "the overlay was not closed";
  }
}

TEST_F(Sessions, RefuseIdsOutsideTheirTables) {
  Rows bad(100, 7);
  bad.users[42] = mlp::kUsers;
  Trainer trainer;
  trainer.withPrograms().session().addSplit(bad.split());
  EXPECT_EQ(kindOfFailure([&] { trainer.run({runOf(0, 0)}); }), ErrorKind::kData);
}

TEST_F(Sessions, RefuseIdsOutsideTheirTablesWhenTheyScoreOnly) {
  Rows bad(100, 7);
  bad.users[42] = mlp::kUsers;
  Trainer trainer;
  const int split = trainer.withPrograms().session().addSplit(bad.split());
  EXPECT_EQ(kindOfFailure([&] { trainer.session().scores(split, 0, -1); }), ErrorKind::kData);
}

TEST_F(Sessions, RefuseRowOrdersBeyondTheDomain) {
  Trainer trainer;
  trainer.withPrograms();
  Command run = runOf(0, 0);
  run.order = 0;
  for (const int32_t row : {-1, static_cast<int32_t>(kRowsOfDomain0)}) {
    EXPECT_EQ(kindOfFailure([&] { trainer.run({run}, {{0, 1, row}}); }), ErrorKind::kData);
  }
  EXPECT_EQ(trainer.run({run}, {{5, 5, 299}}).results[0].rows, 3);
}

// --- Gradient buffers ----------------------------------------------------------------------------

TEST_F(Sessions, AStepThroughAGradientBufferIsATrainingStep) {
  Trainer direct, buffered;
  Command step = runOf(0, 0, -1, kSgd);
  step.maxSteps = 1;
  direct.withPrograms().run({step});
  step.program = 1;
  step.target = 8;
  step.rate = 1.0;
  Command apply = command(CommandKind::kBufferApply, 8);
  apply.optimizer = kSgd;
  buffered.withPrograms().run({command(CommandKind::kBufferZero, 8), step, apply});
  EXPECT_EQ(buffered.values(), direct.values());
}

// --- Rows of several domains, clipped gradients --------------------------------------------------

using Batches = Sessions;

Command mixedRun(int64_t pass, int32_t optimizer = kAdam) {
  Command run = runOf(-1, pass, -1, optimizer);
  run.mixed = true;
  return run;
}

Command blocksRun(int64_t pass, int32_t optimizer = kAdam) {
  Command run = runOf(-1, pass, -1, optimizer);
  run.blocks = true;
  return run;
}

Command slotsOf(int32_t target) { return command(CommandKind::kSlots, target); }

TEST_F(Batches, OfABankStepOnceAndGoOnWithTheSameBits) {
  for (const auto& runOfPass : {mixedRun, blocksRun}) {
    Trainer whole, parts;
    const std::vector<Command> commands = {runOfPass(4, kAdam), runOfPass(5, kSgd)};
    const RunOutcome expected = whole.withPrograms(true).run(commands);
    parts.withPrograms(true);
    duringStep(7, [&] { parts.session().cancel(); });
    std::vector<Command> left = commands;
    const RunOutcome outcome = parts.run(left);
    ASSERT_EQ(outcome.completed, 0);
    EXPECT_EQ(outcome.interruption.step, 8);
    left[0].resumed = outcome.interruption;
    expectEqual(parts.run(left), expected);
    EXPECT_EQ(parts.state(), whole.state());
    for (const int32_t domain : {0, 1}) EXPECT_NE(whole.slot(domain), Trainer().slot(domain));
    EXPECT_EQ(whole.slot(2), Trainer().slot(2)) << "a domain without rows";
  }
}

TEST_F(Batches, DrawOtherDropoutInEachBlock) {
  Trainer trainer;
  std::vector<uint64_t> steps;
  observer = [&](uint64_t step) { steps.push_back(step); };
  const RunOutcome outcome = trainer.withPrograms(true).run({mixedRun(0), blocksRun(1)});
  const auto taken = static_cast<size_t>(outcome.results[0].steps + outcome.results[1].steps);
  EXPECT_EQ(steps.size(), 2 * taken) << "two domains have rows";
  std::ranges::sort(steps);
  EXPECT_EQ(std::ranges::adjacent_find(steps), steps.end());
}

TEST_F(Batches, WriteNothingWhenTheLossOfABlockIsNotFinite) {
  Trainer trainer;
  trainer.withPrograms(true);
  // Of the second block's domain alone.
  trainer.space().data(trainer.space().find("bank"))[12] = std::nanf("");
  const std::vector<float> before = trainer.values();
  std::string message;
  EXPECT_EQ(kindOfFailure([&] { trainer.run({blocksRun(0)}); }, &message), ErrorKind::kTraining);
  EXPECT_NE(message.find("domain 1, step 0"), std::string::npos) << message;
  const std::vector<float> after = trainer.values();
  EXPECT_EQ(std::memcmp(after.data(), before.data(), before.size() * sizeof(float)), 0);
}

TEST_F(Batches, OfDomainsThatShareASlotTrainItAlone) {
  Trainer trainer;
  trainer.withPrograms(true).run({slotsOf(2), mixedRun(0), runOf(1, 1)});
  for (const int32_t domain : {0, 1}) EXPECT_EQ(trainer.slot(domain), Trainer().slot(domain));
  EXPECT_NE(trainer.slot(2), Trainer().slot(2));
  const double shared = trainer.run({evaluationOf(0)}).results[0].loss;
  EXPECT_NE(trainer.run({slotsOf(-1), evaluationOf(0)}).results[1].loss, shared);
  EXPECT_EQ(kindOfFailure([&] { trainer.run({slotsOf(3)}); }), ErrorKind::kConfig);
}

TEST_F(Batches, KeepASharedSlotInCheckpoints) {
  const TemporaryFolder folder;
  Trainer whole, resumed;
  whole.withPrograms(true).run({slotsOf(2), mixedRun(0)});
  whole.session().save(folder / "state");
  resumed.withPrograms(true).session().load(folder / "state");
  for (Trainer* trainer : {&whole, &resumed}) trainer->run({blocksRun(1)});
  EXPECT_EQ(resumed.state(), whole.state());
}

TEST_F(Batches, StartFromABroadcastSlot) {
  Trainer trainer;
  trainer.withPrograms(true);
  const int banks = trainer.session().addSelection(trainer.space().select({"bank"}));
  const int all = trainer.session().addSelection(trainer.space().select({"all"}));
  Command copies = command(CommandKind::kBroadcast, 1);
  copies.selection = banks;
  trainer.run({command(CommandKind::kMark, 4), copies});
  for (const int32_t domain : {0, 1, 2}) EXPECT_EQ(trainer.slot(domain), Trainer().slot(1));
  trainer.run({command(CommandKind::kRestore, 4), command(CommandKind::kRelease, 4)});
  EXPECT_EQ(trainer.values(), Trainer().values());
  copies.selection = all;
  EXPECT_EQ(kindOfFailure([&] { trainer.run({copies}); }), ErrorKind::kConfig);
  copies.selection = banks;
  copies.target = 3;
  EXPECT_EQ(kindOfFailure([&] { trainer.run({copies}); }), ErrorKind::kConfig);
}

TEST_F(Batches, AreTrainedAsBeforeWhereNoGradientExceedsTheLimit) {
  Trainer free, limited(mlp::parameters(), 2, 1e6), clipped(mlp::parameters(), 2, 1e-3);
  const std::vector<Command> commands = {runOf(0, 0), mixedRun(1, kSgd), runOf(1, 2, 1)};
  for (Trainer* trainer : {&free, &limited, &clipped}) trainer->withPrograms().run(commands);
  EXPECT_EQ(limited.state(), free.state());
  EXPECT_NE(clipped.state(), free.state());
}

TEST_F(Batches, RefuseAGradientWhoseNormIsNotFinite) {
  Trainer trainer(mlp::parameters(), 2, 1.0);
  const auto fill = [&](const char* name, float value) {
    const int parameter = trainer.space().find(name);
    std::fill_n(trainer.space().data(parameter),
                elementCount(trainer.space().parameter(parameter).shape), value);
  };
  // The first layer has no influence yet, but an enormous gradient.
  fill("embedding.user", 1e30f);
  fill("layer0.weight", 0.0f);
  fill("layer1.weight", 1e20f);
  fill("output.weight", 1.0f);
  const std::vector<float> before = trainer.withPrograms().values();
  std::string message;
  EXPECT_EQ(kindOfFailure([&] { trainer.run({runOf(0, 0)}); }, &message), ErrorKind::kTraining);
  EXPECT_NE(message.find("gradient's norm"), std::string::npos) << message;
  EXPECT_EQ(trainer.values(), before);
}

// --- Converge ------------------------------------------------------------------------------------

using Convergence = Sessions;

// What `converge` says it does, out of single commands.
CommandResult convergeByHand(Trainer& trainer, const Command& converge, int64_t* bestPass) {
  Command reset = command(CommandKind::kResetOptimizer);
  reset.optimizer = converge.optimizer;
  trainer.run({reset, command(CommandKind::kMark, 100)});
  CommandResult result;
  double best = 0.0;
  *bestPass = -1;
  for (int64_t pass = 0, waited = 0; pass < converge.passes && waited < converge.patience; ++pass) {
    const RunOutcome outcome =
        trainer.run({runOf(converge.domain, pass, converge.overlay, converge.optimizer),
                     evaluationOf(converge.domain, converge.overlay)});
    result.rows += outcome.results[0].rows;
    result.steps += outcome.results[0].steps;
    const double auc = outcome.results[1].auc;
    ++waited;
    if (*bestPass >= 0 && auc <= best + converge.rate) continue;
    if (*bestPass >= 0) trainer.run({command(CommandKind::kRelease, 101)});
    trainer.run({command(CommandKind::kMark, 101)});
    *bestPass = pass;
    best = auc;
    result.loss = outcome.results[0].loss;
    result.auc = auc;
    waited = 0;
  }
  trainer.run({command(CommandKind::kRestore, 101), command(CommandKind::kRelease, 101),
               command(CommandKind::kRelease, 100)});
  return result;
}

TEST_F(Convergence, KeepsTheBestPassAndStopsByPatience) {
  for (const int32_t overlay : {-1, 1}) {
    constexpr int64_t kPasses = 40, kPatience = 3;
    const Command converge = convergenceOf(1, kPasses, kPatience, 0.001, overlay);
    Trainer one, byHand;
    one.withPrograms();
    byHand.withPrograms();
    // What the optimizer learned before is not to matter.
    for (Trainer* trainer : {&one, &byHand}) trainer->run({runOf(0, 7)});
    const std::vector<float> shared = one.values();
    int64_t best = 0;
    const CommandResult expected = convergeByHand(byHand, converge, &best);
    const RunOutcome outcome = one.run({converge});
    ASSERT_EQ(outcome.completed, 1);
    const CommandResult& result = outcome.results[0];
    EXPECT_EQ(result.loss, expected.loss);
    EXPECT_EQ(result.auc, expected.auc);
    EXPECT_EQ(result.rows, expected.rows);
    EXPECT_EQ(result.steps, expected.steps);
    EXPECT_EQ(result.rows, (best + 1 + kPatience) * 200);
    EXPECT_LT(best + 1 + kPatience, kPasses) << "labels of chance, and yet it went on improving";
    EXPECT_EQ(one.space().openMarks(), 0);
    EXPECT_EQ(one.values(), byHand.values());
    EXPECT_EQ(one.session().scores(kValid, 1, overlay),
              byHand.session().scores(kValid, 1, overlay));
    EXPECT_EQ(one.run({evaluationOf(1, overlay)}).results[0].auc, result.auc);
    if (overlay < 0) continue;
    EXPECT_EQ(one.values(), shared) << "an overlay's training went elsewhere";
  }
}

TEST_F(Convergence, MakesAllPassesWhileEachIsBetterAndWaitsWhileNoneIs) {
  Trainer improving, passes, waiting, first;
  // Any score beats the one before by more than -10: the last pass stays.
  improving.withPrograms().run({convergenceOf(0, 4, 1, -10.0)});
  passes.withPrograms().run({runOf(0, 0), runOf(0, 1), runOf(0, 2), runOf(0, 3)});
  EXPECT_EQ(improving.values(), passes.values());
  EXPECT_EQ(improving.session().stepsDone(), 4 * kStepsOfDomain0);
  // None beats it by 10: the first pass stays.
  const RunOutcome outcome = waiting.withPrograms().run({convergenceOf(0, 9, 3, 10.0)});
  first.withPrograms().run({runOf(0, 0)});
  EXPECT_EQ(waiting.values(), first.values());
  EXPECT_EQ(outcome.results[0].steps, 4 * kStepsOfDomain0);
}

TEST_F(Convergence, TakesItsPassesOneAfterAnotherFromAnExplicitOrder) {
  std::vector<int32_t> order(2 * kRowsOfDomain0);
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<int32_t>(i * 7 % static_cast<size_t>(kRowsOfDomain0));
  }
  const auto middle = order.begin() + kRowsOfDomain0;
  Trainer one, passes;
  Command converge = convergenceOf(0, 2, 1, -10.0);
  converge.order = 0;
  one.withPrograms().run({converge}, {order});
  std::vector<Command> runs = {runOf(0, 0), runOf(0, 1)};
  runs[0].order = 0;
  runs[1].order = 1;
  passes.withPrograms().run(runs, {{order.begin(), middle}, {middle, order.end()}});
  EXPECT_EQ(one.values(), passes.values());
  order.pop_back();
  EXPECT_EQ(kindOfFailure([&] { one.run({converge}, {order}); }), ErrorKind::kData);
}

// Domain 2 has no rows in either split.
TEST_F(Convergence, MakesOnePassWhereThereIsNothingToScore) {
  Trainer trainer;
  const RunOutcome outcome = trainer.withPrograms().run({convergenceOf(2, 5, 3)});
  EXPECT_EQ(outcome.completed, 1);
  EXPECT_EQ(outcome.results[0].steps, 0);
  EXPECT_TRUE(std::isnan(outcome.results[0].auc));
  EXPECT_EQ(trainer.space().openMarks(), 0);
}

TEST_F(Convergence, IsUndoneByACancellationAndCanBeDoneAgain) {
  for (const int32_t overlay : {-1, 0}) {
    const std::vector<Command> before = {runOf(1, 7)};
    const std::vector<Command> after = {convergenceOf(0, 5, 2, 0.0, overlay), evaluationOf(0)};
    Trainer whole, interrupted;
    whole.withPrograms().run(before);
    interrupted.withPrograms().run(before);
    const RunOutcome expected = whole.run(after);
    const std::vector<float> values = interrupted.values();
    const int64_t steps = interrupted.session().stepsDone();
    // In the middle of the second pass.
    duringStep(static_cast<uint64_t>(steps + kStepsOfDomain0 + 4),
               [&] { interrupted.session().cancel(); });
    const RunOutcome outcome = interrupted.run(after);
    EXPECT_EQ(outcome.completed, 0);
    EXPECT_EQ(outcome.interruption.step, 0);
    EXPECT_EQ(interrupted.session().stepsDone(), steps);
    EXPECT_EQ(interrupted.values(), values);
    EXPECT_FALSE(interrupted.space().hasOverlay(0));
    EXPECT_EQ(interrupted.space().openMarks(), 0);
    expectEqual(interrupted.run(after), expected);
    EXPECT_EQ(interrupted.values(), whole.values());
    EXPECT_EQ(interrupted.session().scores(kValid, 0, overlay),
              whole.session().scores(kValid, 0, overlay));
  }
}

// Adam that moves all rows in every step.
int addDenseRows(Trainer& trainer) {
  OptimizerSpec dense;
  dense.learningRate = 0.02f;
  dense.rows = RowSteps::kDense;
  return trainer.session().addOptimizer(dense);
}

using TunedEvaluation = Sessions;

Command tunedEvaluationOf(int32_t domain, int64_t passes, OverlayId overlay = -1) {
  Command command = evaluationOf(domain, overlay);
  command.passes = passes;
  command.other = kTrain;
  command.pass = 3;
  return command;
}

TEST_F(TunedEvaluation, ScoresBehindPassesOfWhichNothingIsLeft) {
  for (const int32_t overlay : {-1, 0}) {
    Trainer one, byHand;
    // What the optimizer learned before is not to matter, and dropout is that of the steps to come.
    for (Trainer* trainer : {&one, &byHand}) trainer->withPrograms().run({runOf(1, 7)});
    const std::vector<float> values = one.values();
    const int64_t steps = one.session().stepsDone();
    const RunOutcome outcome = one.run({tunedEvaluationOf(0, 2, overlay)});
    ASSERT_EQ(outcome.completed, 1);
    EXPECT_EQ(one.values(), values);
    EXPECT_EQ(one.session().stepsDone(), steps);
    EXPECT_FALSE(one.space().hasOverlay(0));
    EXPECT_EQ(one.space().openMarks(), 0);
    const RunOutcome expected =
        byHand.run({command(CommandKind::kResetOptimizer), runOf(0, 3, overlay),
                    runOf(0, 4, overlay), evaluationOf(0, overlay)});
    EXPECT_EQ(outcome.results[0].auc, expected.results[3].auc);
    EXPECT_EQ(outcome.results[0].loss, expected.results[3].loss);
    EXPECT_NE(one.run({evaluationOf(0, overlay)}).results[0].loss, outcome.results[0].loss);
  }
}

TEST_F(TunedEvaluation, IsAsIfItHadNotBegunWhenItIsCancelled) {
  // Of the last optimizer rows lag behind until they are read.
  constexpr int kAdam = 0, kDense = 2;
  struct Case {
    OverlayId overlay;
    int optimizer;
  };
  for (const auto& [overlay, optimizer] : {Case{-1, kAdam}, Case{0, kAdam}, Case{-1, kDense}}) {
    Trainer whole, interrupted;
    for (Trainer* trainer : {&whole, &interrupted}) {
      EXPECT_EQ(addDenseRows(trainer->withPrograms()), kDense);
    }
    Command tuned = tunedEvaluationOf(0, 3, overlay);
    tuned.optimizer = optimizer;
    const std::vector<Command> commands = {tuned, runOf(0, 0)};
    const std::vector<float> values = interrupted.values();
    // In the middle of the second pass.
    duringStep(kStepsOfDomain0 + 4, [&] { interrupted.session().cancel(); });
    EXPECT_EQ(interrupted.run(commands).completed, 0);
    interrupted.session().settle();
    EXPECT_EQ(interrupted.values(), values);
    EXPECT_EQ(interrupted.session().stepsDone(), 0);
    EXPECT_FALSE(interrupted.space().hasOverlay(0));
    EXPECT_EQ(interrupted.space().openMarks(), 0);
    expectEqual(interrupted.run(commands), whole.run(commands));
    EXPECT_EQ(interrupted.values(), whole.values());
  }
}

TEST_F(Convergence, LeavesNoMarkOpenWhenTheLossIsNotFinite) {
  Trainer trainer;
  Command converge = convergenceOf(0, 5, 2);
  converge.optimizer = kDiverging;
  EXPECT_EQ(kindOfFailure([&] { diverging(trainer).run({converge}); }), ErrorKind::kTraining);
  EXPECT_EQ(trainer.space().openMarks(), 0);
}

Command denseRun(int optimizer, int64_t steps) {
  Command run = runOf(0, 0, -1, optimizer);
  run.maxSteps = steps;
  return run;
}

TEST(SessionOfDenseRows, GivesRowsTheStepsThatTheyLackOnceItSettles) {
  Trainer trainer, evaluated, longer;
  for (Trainer* one : {&trainer, &evaluated, &longer}) {
    one->withPrograms();
    one->run({denseRun(addDenseRows(*one), 3)});
  }
  const std::vector<float> lagging = trainer.values();
  EXPECT_EQ(evaluated.values(), lagging);
  trainer.session().settle();
  EXPECT_NE(trainer.values(), lagging);
  // An evaluation reads what settling leads to.
  evaluated.run({evaluationOf(1)});
  EXPECT_EQ(evaluated.values(), trainer.values());
  const State settled = trainer.state();
  trainer.session().settle();
  EXPECT_EQ(trainer.state(), settled);
  // A mark that is opened behind the run has the settled values.
  longer.run({command(CommandKind::kMark, 1), denseRun(2, 5), command(CommandKind::kRestore, 1)});
  EXPECT_EQ(longer.values(), trainer.values());
}

TEST(SessionOfDenseRows, RefusesOverlays) {
  Trainer trainer;
  trainer.withPrograms();
  Command run = denseRun(addDenseRows(trainer), 1);
  run.overlay = 0;
  trainer.space().configureOverlays(Combine::kPlus, SpecificStart::kNeutral,
                                    trainer.space().select({"all"}));
  std::string message;
  EXPECT_EQ(kindOfFailure([&] { trainer.run({run}); }, &message), ErrorKind::kConfig);
  EXPECT_NE(message.find("rows 'dense'"), std::string::npos) << message;
}

TEST(SessionOfDenseRows, ReadsNoCheckpointOfLazyOnes) {
  const TemporaryFolder folder;
  Trainer lazy(mlp::parameters(), 1), dense(mlp::parameters(), 0);
  lazy.session().save(folder / "state");
  addDenseRows(dense);
  EXPECT_EQ(kindOfFailure([&] { dense.session().load(folder / "state"); }), ErrorKind::kCheckpoint);
}

}  // namespace
}  // namespace polydomain
