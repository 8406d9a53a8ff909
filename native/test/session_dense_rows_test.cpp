#include <gtest/gtest.h>

#include "session_trainer.h"

namespace polydomain {
namespace {

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
