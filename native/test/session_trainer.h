#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "disk.h"
#include "failure.h"
#include "mlp.h"
#include "polydomain/session.h"

// What the tests of the session train: the small model on rows of three domains.
namespace polydomain {

// Called with the step before every training step; lets a test act at a certain one.
inline std::function<void(uint64_t step)> observer;

// The identity, which tells the observer.
inline const std::string& observingOp() {
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

inline constexpr int kTrain = 0, kValid = 1;  // splits
inline constexpr int kAdam = 0, kSgd = 1;     // optimizers
inline constexpr int64_t kBatch = 16;
inline constexpr int64_t kRowsOfDomain0 = 300, kStepsOfDomain0 = 19;

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

inline Command command(CommandKind kind, int32_t target = -1) {
  Command command{};
  command.kind = kind;
  command.target = target;
  return command;
}

inline Command runOf(int32_t domain, int64_t pass, int32_t overlay = -1,
                     int32_t optimizer = kAdam) {
  Command run = command(CommandKind::kRun);
  run.domain = domain;
  run.pass = pass;
  run.overlay = overlay;
  run.optimizer = optimizer;
  return run;
}

inline Command evaluationOf(int32_t domain, int32_t overlay = -1) {
  Command evaluate = command(CommandKind::kEvaluate);
  evaluate.domain = domain;
  evaluate.split = kValid;
  evaluate.overlay = overlay;
  return evaluate;
}

inline Command convergenceOf(int32_t domain, int64_t passes, int64_t patience, double rate = 0.0,
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

inline void expectEqual(const RunOutcome& a, const RunOutcome& b) {
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

// Its optimizer kDiverging makes steps that nothing survives.
inline constexpr int kDiverging = 2;
inline Trainer& diverging(Trainer& trainer) {
  OptimizerSpec sgd;
  sgd.kind = OptimizerKind::kSgd;
  sgd.learningRate = 1e30f;
  EXPECT_EQ(trainer.withPrograms().session().addOptimizer(sgd), kDiverging);
  return trainer;
}

// Adam that moves all rows in every step.
inline int addDenseRows(Trainer& trainer) {
  OptimizerSpec dense;
  dense.learningRate = 0.02f;
  dense.rows = RowSteps::kDense;
  return trainer.session().addOptimizer(dense);
}

}  // namespace polydomain
