#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "session_trainer.h"

namespace polydomain {
namespace {

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

}  // namespace
}  // namespace polydomain
