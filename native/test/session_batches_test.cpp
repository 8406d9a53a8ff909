#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "session_trainer.h"

namespace polydomain {
namespace {

// Rows of several domains, clipped gradients.
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

}  // namespace
}  // namespace polydomain
