#include "polydomain/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "failure.h"
#include "mlp.h"

namespace polydomain {
namespace {

enum class Domains { kMixed, kOne };

struct Batch {
  explicit Batch(int64_t rows, uint64_t step = 0, Domains kind = Domains::kMixed)
      : rows(rows),
        users(mlp::randomIds(rows, mlp::kUsers, 3 * step)),
        items(mlp::randomIds(rows, mlp::kItems, 3 * step + 1)),
        domains(mlp::randomIds(rows, mlp::kDomains, 3 * step + 2)),
        labels(mlp::randomLabels(rows, step)) {
    if (kind == Domains::kOne) std::ranges::fill(domains, domains.front());
  }
  int64_t rows;
  std::vector<int32_t> users, items, domains;
  std::vector<float> labels;
};

// A program over a space of its own.
class Trained {
 public:
  Trained(Mode mode, bool fuse, int threads = 1, double keep = 0.7)
      : space_(mlp::parameters(), 5), pool_(threads), optimizer_(space_, spec()) {
    const mlp::Model model = mlp::build(keep);
    ProgramOptions options;
    options.mode = mode;
    options.output = model.output;
    options.loss = model.loss;
    options.fuse = fuse;
    program_ = std::make_unique<Program>(model.graph, space_, options);
  }

  // Columns by name: rewriting may change their order.
  void run(const Batch& batch, int64_t firstRow, int64_t rows, uint64_t step) {
    Program::Run run;
    run.pool = &pool_;
    run.rows = rows;
    run.seed = 9;
    run.step = step;
    run.optimizer = &optimizer_;
    run.profile = profile;
    for (const std::string& name : program_->inputNames()) {
      if (name == "feature:0") run.inputs.push_back({batch.users.data() + firstRow});
      if (name == "feature:1") run.inputs.push_back({batch.items.data() + firstRow});
      if (name == "domain") run.inputs.push_back({batch.domains.data() + firstRow});
      if (name == "label") run.inputs.push_back({batch.labels.data() + firstRow});
    }
    program_->run(run);
  }
  void run(const Batch& batch, uint64_t step = 0) { run(batch, 0, batch.rows, step); }

  void train(uint64_t steps, int64_t rows, Domains domains) {
    program_->beginPass();
    for (uint64_t step = 0; step < steps; ++step) run(Batch(rows, step, domains), step);
  }

  std::vector<float> logits(int64_t rows) const {
    return {program_->output(), program_->output() + rows};
  }
  std::vector<float> values() { return mlp::sharedValues(space_); }
  ParameterSpace& space() { return space_; }
  Program& program() { return *program_; }
  OptimizerState& optimizer() { return optimizer_; }
  Profile* profile = nullptr;

 private:
  // Momentum, so that the steps depend on one another; not Adam, whose quotients magnify the
  // rounding of tiny gradients.
  static OptimizerSpec spec() {
    OptimizerSpec spec;
    spec.kind = OptimizerKind::kSgd;
    spec.learningRate = 0.5f;
    spec.momentum = 0.9f;
    return spec;
  }
  ParameterSpace space_;
  ThreadPool pool_;
  OptimizerState optimizer_;
  std::unique_ptr<Program> program_;
};

double relativeDistance(const std::vector<float>& a, const std::vector<float>& b) {
  double distance = 0.0, size = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    distance += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(distance / size);
}

TEST(Fusion, LeavesNoOpOfItsOwnForWhatALayerCarries) {
  Trained fused(Mode::kTrain, true), plain(Mode::kTrain, false);
  const std::string text = fused.program().describe();
  for (const char* op : {" gather_concat(", " grouped_linear("}) {
    EXPECT_NE(text.find(op), std::string::npos) << text;
  }
  for (const char* op :
       {" relu(", " dropout(", " embedding(", " concat(", "activation_gradient("}) {
    EXPECT_EQ(text.find(op), std::string::npos) << text;
  }
  for (const char* op : {" relu(", " dropout(", " embedding(", " concat(", "relu_gradient("}) {
    EXPECT_NE(plain.program().describe().find(op), std::string::npos) << op;
  }
}

class TrainedPrograms : public testing::TestWithParam<Domains> {};

// Dropout is on in both: one different mask would be far beyond the bound.
TEST_P(TrainedPrograms, HaveTheSameLogitsAndParametersFusedAndAsTraced) {
  Trained fused(Mode::kTrain, true), plain(Mode::kTrain, false);
  const std::vector<float> start = fused.values();
  for (uint64_t step = 0; step < 3; ++step) {
    const Batch batch(200, step, GetParam());
    fused.run(batch, step);
    plain.run(batch, step);
    EXPECT_LT(relativeDistance(fused.logits(200), plain.logits(200)), 1e-6) << "step " << step;
    EXPECT_NEAR(fused.program().loss(), plain.program().loss(), 1e-6);
  }
  EXPECT_LT(relativeDistance(fused.values(), plain.values()), 1e-6);
  EXPECT_GT(relativeDistance(fused.values(), start), 1e-2) << "nothing was trained";
}

TEST(Fusion, EvaluatesToTheSameLogitsWithoutDropout) {
  Trained fused(Mode::kEvaluate, true), plain(Mode::kEvaluate, false);
  Trained undropped(Mode::kTrain, false, 1, 1.0);
  const Batch batch(100);
  fused.run(batch);
  plain.run(batch);
  undropped.run(batch);
  EXPECT_LT(relativeDistance(fused.logits(100), plain.logits(100)), 1e-6);
  EXPECT_LT(relativeDistance(fused.logits(100), undropped.logits(100)), 1e-6);
}

TEST(Dropout, DependsOnTheStepAlone) {
  Trained first(Mode::kTrain, true), again(Mode::kTrain, true), other(Mode::kTrain, true);
  const Batch batch(50);
  first.run(batch, 0);
  again.run(batch, 0);
  other.run(batch, 1);
  EXPECT_EQ(first.logits(50), again.logits(50));
  EXPECT_NE(first.logits(50), other.logits(50));
}

class Evaluation : public testing::TestWithParam<bool> {};

TEST_P(Evaluation, GivesARowTheSameBitsAloneAndInABatch) {
  Trained model(Mode::kEvaluate, GetParam(), 2);
  const Batch batch(333);
  model.run(batch);
  const std::vector<float> together = model.logits(333);
  for (int64_t row = 0; row < 333; ++row) {
    model.run(batch, row, 1, 0);
    ASSERT_EQ(model.logits(1)[0], together[static_cast<size_t>(row)]) << row;
  }
  EXPECT_EQ(model.values(), Trained(Mode::kEvaluate, GetParam()).values()) << "it wrote something";
}

INSTANTIATE_TEST_SUITE_P(Programs, Evaluation, testing::Bool(),
                         [](const auto& test) { return test.param ? "Fused" : "AsTraced"; });

TEST_P(TrainedPrograms, HaveTheSameBitsWithAnyNumberOfThreads) {
  Trained one(Mode::kTrain, true, 1), two(Mode::kTrain, true, 2), three(Mode::kTrain, true, 3);
  // Enough rows for several chunks of everything.
  for (Trained* model : {&one, &two, &three}) model->train(3, 3000, GetParam());
  EXPECT_EQ(one.values(), two.values());
  EXPECT_EQ(one.values(), three.values());
  EXPECT_EQ(one.logits(3000), three.logits(3000));
}

INSTANTIATE_TEST_SUITE_P(OfDomains, TrainedPrograms,
                         testing::Values(Domains::kMixed, Domains::kOne), [](const auto& test) {
                           return test.param == Domains::kOne ? "OneDomain" : "MixedDomains";
                         });

TEST(Training, LeavesRowsAloneThatNoIdNames) {
  Trained model(Mode::kTrain, true);
  const std::vector<float> start = model.values();
  Batch batch(64);
  for (int32_t& user : batch.users) user %= 10;
  model.program().beginPass();
  model.run(batch);
  const int table = model.space().find("embedding.user");
  ParameterSpace fresh(mlp::parameters(), 5);
  const float *now = model.space().data(table), *before = fresh.data(table);
  EXPECT_NE(std::vector<float>(now, now + 50), std::vector<float>(before, before + 50));
  EXPECT_EQ(std::vector<float>(now + 50, now + 5 * mlp::kUsers),
            std::vector<float>(before + 50, before + 5 * mlp::kUsers));
}

// The scratch memory is planned for a number of rows and planned anew for more.
TEST(Capacity, GrowsWithTheRowsAndChangesNoBits) {
  Trained grown(Mode::kTrain, true), ample(Mode::kTrain, true);
  const Batch large(500, 99);
  ample.program().beginPass();
  ample.run(large, 99);
  grown.program().beginPass();
  grown.run(Batch(3, 1), 1);
  const size_t before = grown.program().scratchBytes();
  // From the same values again, with momentum gone.
  ParameterSpace fresh(mlp::parameters(), 5);
  for (int region = 0; region < fresh.regionCount(); ++region) {
    std::copy_n(fresh.region(region), fresh.unitCount(region) * fresh.unitSize(region),
                grown.space().region(region));
  }
  grown.optimizer().reset();
  grown.run(large, 99);
  EXPECT_GT(grown.program().scratchBytes(), before);
  EXPECT_EQ(grown.logits(500), ample.logits(500));
  EXPECT_EQ(grown.values(), ample.values());
}

TEST(Failures, NoRowsAreADataError) {
  Trained model(Mode::kEvaluate, true);
  EXPECT_EQ(kindOfFailure([&] { model.run(Batch(4), 0, 0, 0); }), ErrorKind::kData);
}

// The output reads the table once more than the loss does.
TEST(Failures, AnIdOfALookupWithoutGradientIsCheckedToo) {
  Graph graph;
  const ValueId table = graph.parameter("table", {DType::kFloat32, {10, 1}});
  const auto lookup = [&](const std::string& input) {
    return graph.add("embedding", {table, graph.input(input, {DType::kInt32, {kRows}})});
  };
  ProgramOptions options;
  options.mode = Mode::kTrain;
  const ValueId logits = lookup("feature:0");
  options.output = graph.add("add", {logits, lookup("feature:1")});
  options.loss =
      graph.add("bce_with_logits", {logits, graph.input("label", {DType::kFloat32, {kRows}})});
  options.trained = {true};
  ParameterSpace space({{"table", ParameterKind::kTable, {10, 1}, {}, 0.0f}}, 1);
  const Program program(graph, space, options);
  const int32_t bad = 1000;
  for (size_t input = 0; input < program.inputNames().size(); ++input) {
    if (!program.inputNames()[input].starts_with("feature:")) continue;
    EXPECT_EQ(kindOfFailure([&] { program.checkIds(input, &bad, 1); }), ErrorKind::kData);
  }
}

TEST(Failures, AnIdOutsideItsTableIsADataErrorThatNamesInputAndRow) {
  Trained model(Mode::kTrain, true);
  const Program& program = model.program();
  for (size_t input = 0; input < program.inputNames().size(); ++input) {
    if (program.inputNames()[input] != "feature:1") continue;
    EXPECT_EQ(program.inputType(input), DType::kInt32);
    std::vector<int32_t> ids = {0, 39, 7, 1};
    program.checkIds(input, ids.data(), 4);
    for (const int32_t bad : {-1, 40, std::numeric_limits<int32_t>::max()}) {
      ids[2] = bad;
      std::string message;
      EXPECT_EQ(kindOfFailure([&] { program.checkIds(input, ids.data(), 4); }, &message),
                ErrorKind::kData);
      EXPECT_NE(message.find("feature:1"), std::string::npos) << message;
      EXPECT_NE(message.find("row 2"), std::string::npos) << message;
    }
    return;
  }
  FAIL() << "no input feature:1";
}

TEST(Failures, ALossThatIsNotFiniteIsATrainingErrorAndWritesNothing) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Trained model(Mode::kTrain, true);
    model.program().beginPass();
    Batch batch(20);
    batch.labels[11] = bad;
    const std::vector<float> before = model.values();
    EXPECT_EQ(kindOfFailure([&] { model.run(batch); }), ErrorKind::kTraining);
    EXPECT_EQ(model.values(), before);
    // Neither the values nor the optimizer remember it.
    Trained fresh(Mode::kTrain, true);
    fresh.run(Batch(20));
    model.run(Batch(20));
    EXPECT_EQ(model.values(), fresh.values());
  }
}

TEST(Failures, AProgramNeedsAColumnOfLogitsAndAScalarLoss) {
  const mlp::Model model = mlp::build(1.0);
  ParameterSpace space(mlp::parameters(), 1);
  ProgramOptions options;
  EXPECT_EQ(kindOfFailure([&] { Program program(model.graph, space, options); }),
            ErrorKind::kConfig);
  options.output = 2;  // an embedding
  EXPECT_EQ(kindOfFailure([&] { Program program(model.graph, space, options); }),
            ErrorKind::kShape);
  options.output = model.output;
  options.mode = Mode::kEvaluate;
  options.loss = model.output;
  EXPECT_EQ(kindOfFailure([&] { Program program(model.graph, space, options); }),
            ErrorKind::kShape);
}

TEST(Program, LabelsItsStepsForTheProfileAtHandThoughItLieWhereAnotherWas) {
  Trained trained(Mode::kTrain, true);
  std::optional<Profile> profile;
  const auto labels = [&](const char* known) {
    trained.profile = &profile.emplace();
    profile->label(known);
    profile->beginCommand();
    trained.run(Batch(8));
    profile->endCommand("run", 0, -1);
    std::set<std::string> texts;
    for (const Profile::Total& total : profile->spans()[0].totals) {
      texts.insert(profile->labels()[static_cast<size_t>(total.label)]);
    }
    return texts;
  };
  const std::set<std::string> first = labels("run");
  EXPECT_TRUE(first.contains("gather_concat, embedding.user, embedding.item, embedding.domain"));
  EXPECT_EQ(labels("what no step of the program is called"), first);
}

TEST(Program, ARunningAverageOfALayerThatIsNotTrainedStaysAndIsRead) {
  std::vector<ParameterSpec> parameters = {
      {"table", ParameterKind::kTable, {mlp::kUsers, 4}, {InitKind::kNormal, 0.0f, 1.0f}},
      {"mean", ParameterKind::kDense, {4}, {InitKind::kConstant, 0.5f, 0.0f}},
      {"output", ParameterKind::kDense, {1, 4}, {InitKind::kConstant, 0.3f, 0.0f}}};
  parameters[1].trainable = false;
  ParameterSpace space(parameters, 3);
  Graph graph;
  const auto parameter = [&](int p) {
    const ParameterSpec& spec = parameters[static_cast<size_t>(p)];
    return graph.parameter(spec.name, {DType::kFloat32, spec.shape});
  };
  const ValueId ids = graph.input("feature:0", {DType::kInt32, {kRows}});
  const ValueId x = graph.add("embedding", {parameter(0), ids});
  const ValueId mean =
      graph.add("running_average", {graph.add("mean", {x}, {{"axis", int64_t{0}}}), parameter(1)},
                {{"momentum", 0.9}});
  ProgramOptions options;
  options.output = graph.add("linear", {graph.add("sub", {x, mean}), parameter(2)});
  const ValueId label = graph.input("label", {DType::kFloat32, {kRows}});
  options.loss = graph.add("bce_with_logits", {options.output, label});

  ThreadPool pool(1);
  OptimizerSpec spec;
  spec.kind = OptimizerKind::kSgd;
  OptimizerState optimizer(space, spec);
  const Batch batch(16);
  const auto lossOf = [&](Mode mode, const std::vector<std::string>& trained) {
    options.mode = mode;
    options.trained = trained.empty() ? Selection{} : space.select(trained);
    Program program(graph, space, options);
    Program::Run run;
    run.pool = &pool;
    run.rows = batch.rows;
    run.optimizer = &optimizer;
    for (const std::string& name : program.inputNames()) {
      run.inputs.push_back(
          {name == "label" ? static_cast<const void*>(batch.labels.data()) : batch.users.data()});
    }
    program.beginPass();
    program.run(run);
    return program.loss();
  };
  const float evaluated = lossOf(Mode::kEvaluate, {});
  EXPECT_EQ(lossOf(Mode::kTrain, {"output"}), evaluated);
  EXPECT_EQ(space.data(1)[0], 0.5f);
  EXPECT_NE(lossOf(Mode::kTrain, {}), evaluated);
  EXPECT_NE(space.data(1)[0], 0.5f);
}

}  // namespace
}  // namespace polydomain
