#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "session_trainer.h"

namespace polydomain {
namespace {

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

TEST_F(Convergence, LeavesNoMarkOpenWhenTheLossIsNotFinite) {
  Trainer trainer;
  Command converge = convergenceOf(0, 5, 2);
  converge.optimizer = kDiverging;
  EXPECT_EQ(kindOfFailure([&] { diverging(trainer).run({converge}); }), ErrorKind::kTraining);
  EXPECT_EQ(trainer.space().openMarks(), 0);
}

}  // namespace
}  // namespace polydomain
