#include <gtest/gtest.h>

#include "session_trainer.h"

namespace polydomain {
namespace {

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

}  // namespace
}  // namespace polydomain
