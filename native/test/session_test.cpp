#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "session_trainer.h"

namespace polydomain {
namespace {

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

}  // namespace
}  // namespace polydomain
