#include <gtest/gtest.h>

#include <vector>

#include "session_trainer.h"

namespace polydomain {
namespace {

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

}  // namespace
}  // namespace polydomain
