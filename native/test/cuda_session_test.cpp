// Sessions on a device beside those on the CPU: every command that trains or scores, with marks,
// overlays, interpolations and gradient buffers around it. Both agree within the rounding of float
// sums; what the device does is the same again and after a checkpoint.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cuda_device.h"
#include "disk.h"
#include "failure.h"
#include "mlp.h"
#include "polydomain/session.h"

namespace polydomain {
namespace {

constexpr double kBound = 1e-5;  // relative, after some ten steps

// Rows of three domains of different size.
struct Rows {
  Rows(int64_t rows, uint64_t step)
      : users(mlp::randomIds(rows, mlp::kUsers, 2 * step)),
        items(mlp::randomIds(rows, mlp::kItems, 2 * step + 1)),
        labels(mlp::randomLabels(rows, step)) {}
  SplitData split() const {
    SplitData data;
    data.rows = std::ssize(users);
    data.ids = {users.data(), items.data()};
    data.labels = labels.data();
    data.domainOffsets = {0, data.rows / 2, data.rows * 4 / 5, data.rows};
    return data;
  }
  std::vector<int32_t> users, items;
  std::vector<float> labels;
};

constexpr int kTrain = 0, kValid = 1;  // splits
constexpr int kGradients = 1;          // the second program

class Trainer {
 public:
  explicit Trainer(bool onDevice, bool bank = false, double clipNorm = 0.0)
      : space_(std::make_shared<ParameterSpace>(mlp::parameters(), 5)) {
    Session::Options options;
    options.batchSize = 16;
    options.seed = 3;
    options.clipNorm = clipNorm;
    if (onDevice) options.device = std::make_shared<Device>(cudaApi());
    session_ = std::make_unique<Session>(space_, std::make_shared<ThreadPool>(2), options);
    session_->addSplit(train_.split());
    session_->addSplit(valid_.split());
    OptimizerSpec sgd;
    sgd.kind = OptimizerKind::kSgd;
    sgd.learningRate = 0.3f;
    sgd.momentum = 0.9f;
    session_->addOptimizer(sgd);
    const mlp::Model model = mlp::build(0.8, {}, bank);
    ProgramOptions program;
    program.output = model.output;
    program.loss = model.loss;
    session_->addTrainingProgram(model.graph, program);
    session_->addGradientProgram(model.graph, program);
    session_->setEvaluationProgram(model.graph, program);
  }

  Session& session() { return *session_; }
  RunOutcome run(const std::vector<Command>& commands) { return session_->run(commands, {}); }
  std::vector<float> values() { return mlp::sharedValues(*space_); }
  std::vector<float> ownValues(OverlayId domain) {
    std::vector<float> all;
    for (int p = 0; p < space_->parameterCount(); ++p) {
      space_->visitOverlay(domain, p, [&](uint32_t unit, std::span<const float> values) {
        all.push_back(static_cast<float>(unit));
        all.insert(all.end(), values.begin(), values.end());
      });
    }
    return all;
  }

 private:
  const Rows train_{120, 1}, valid_{90, 2};
  std::shared_ptr<ParameterSpace> space_;
  std::unique_ptr<Session> session_;
};

Command command(CommandKind kind, int32_t target = -1, int32_t domain = -1) {
  Command command{};
  command.kind = kind;
  command.target = target;
  command.domain = domain;
  return command;
}

Command runOf(int32_t domain, int64_t pass, int32_t overlay = -1) {
  Command run = command(CommandKind::kRun, -1, domain);
  run.pass = pass;
  run.overlay = overlay;
  return run;
}

Command gradientOf(int32_t domain, int64_t pass, int32_t buffer) {
  Command run = runOf(domain, pass);
  run.program = kGradients;
  run.target = buffer;
  run.rate = 1.0;
  run.maxSteps = 1;
  return run;
}

Command mixedRun(int64_t pass) {
  Command run = runOf(-1, pass);
  run.mixed = true;
  return run;
}

Command evaluationOf(int32_t domain, int32_t overlay = -1) {
  Command evaluate = command(CommandKind::kEvaluate, -1, domain);
  evaluate.split = kValid;
  evaluate.overlay = overlay;
  return evaluate;
}

Command lerpOf(int32_t mark, double rate) {
  Command lerp = command(CommandKind::kLerp, mark);
  lerp.rate = rate;
  return lerp;
}

double relativeDistance(const std::vector<float>& a, const std::vector<float>& b) {
  double distance = 0.0, size = 0.0;
  EXPECT_EQ(a.size(), b.size());
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    distance += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(distance / size);
}

void expectNear(const RunOutcome& device, const RunOutcome& cpu) {
  EXPECT_EQ(device.completed, cpu.completed);
  ASSERT_EQ(device.results.size(), cpu.results.size());
  for (size_t i = 0; i < cpu.results.size(); ++i) {
    EXPECT_EQ(device.results[i].rows, cpu.results[i].rows) << i;
    EXPECT_EQ(device.results[i].steps, cpu.results[i].steps) << i;
    EXPECT_NEAR(device.results[i].loss, cpu.results[i].loss, 1e-5) << i;
    // Two rows of nearly equal scores may change places.
    if (!std::isnan(cpu.results[i].auc)) {
      EXPECT_NEAR(device.results[i].auc, cpu.results[i].auc, 2e-2) << i;
    }
    EXPECT_NEAR(device.results[i].value, cpu.results[i].value, 1e-4) << i;
  }
}

struct Case {
  const char* name;
  std::vector<Command> commands;
  bool bank = false;
  double clipNorm = 0.0;
  friend void PrintTo(const Case& test, std::ostream* out) { *out << test.name; }
};

std::vector<Case> cases() {
  Command outer = command(CommandKind::kOuterStep, 1);
  Command converge = command(CommandKind::kConverge, -1, 1);
  converge.passes = 3;
  converge.patience = 1;
  converge.other = kValid;
  Command tuned = evaluationOf(2);
  tuned.passes = 2;
  tuned.other = kTrain;
  Command dot = command(CommandKind::kBufferDot, 5);
  dot.other = 6;
  Command project = command(CommandKind::kBufferProject, 5);
  project.other = 6;
  const Command mark = command(CommandKind::kMark, 1), release = command(CommandKind::kRelease, 1);
  return {
      {"Alternate", {runOf(0, 0), runOf(1, 1), runOf(2, 2), evaluationOf(0), evaluationOf(1)}},
      {"Mixed", {mixedRun(0), mixedRun(1), evaluationOf(2)}},
      // Domain Negotiation, and Domain Regularization on an overlay (MAMDR).
      {"DomainNegotiation", {mark, runOf(0, 0), runOf(1, 1), lerpOf(1, 0.5), release, runOf(2, 2)}},
      {"DomainRegularization",
       {runOf(0, 0), mark, runOf(1, 1, 2), runOf(2, 2, 2), lerpOf(1, 0.3), release, runOf(2, 3, 2),
        evaluationOf(2, 2), evaluationOf(2)}},
      {"OuterStep", {mark, runOf(0, 0), runOf(1, 1), outer, release, runOf(0, 2)}},
      {"Restored",
       {runOf(0, 0), mark, runOf(1, 1), command(CommandKind::kRestore, 1), release, runOf(2, 2)}},
      {"Converging", {runOf(0, 0), converge, evaluationOf(1)}},
      {"TunedEvaluation", {runOf(0, 0), tuned, runOf(1, 1)}},
      {"ProjectedGradients",
       {command(CommandKind::kBufferZero, 5), command(CommandKind::kBufferZero, 6),
        gradientOf(0, 0, 5), gradientOf(1, 1, 6), dot, project,
        command(CommandKind::kBufferApply, 5), runOf(0, 2)}},
      {"Clipped", {runOf(0, 0), mixedRun(1), evaluationOf(0)}, false, 0.2},
      {"Banks", {runOf(0, 0), mixedRun(1), runOf(1, 2, 1), evaluationOf(1, 1)}, true}};
}

class CudaSessions : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Commands, CudaSessions, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<Case>& test) {
                           return std::string(test.param.name);
                         });

TEST_P(CudaSessions, DoWhatThoseOnTheCpuDo) {
  const auto& [name, commands, bank, clipNorm] = GetParam();
  Trainer cpu(false, bank, clipNorm), device(true, bank, clipNorm);
  const std::vector<float> start = cpu.values();
  const RunOutcome expected = cpu.run(commands);
  expectNear(device.run(commands), expected);
  EXPECT_LT(relativeDistance(device.values(), cpu.values()), kBound);
  EXPECT_GT(relativeDistance(cpu.values(), start), 1e-2) << "nothing was trained";
  for (const OverlayId domain : {1, 2}) {
    const std::vector<float> own = cpu.ownValues(domain);
    if (own.empty()) {
      EXPECT_TRUE(device.ownValues(domain).empty());
    } else {
      EXPECT_LT(relativeDistance(device.ownValues(domain), own), 10 * kBound) << domain;
    }
  }
}

TEST(CudaSession, GoesOnFromACheckpointWithTheSameBits) {
  const TemporaryFolder folder;
  const std::vector<Command> half = {runOf(0, 0), command(CommandKind::kMark, 4), runOf(1, 1, 1)};
  const std::vector<Command> rest = {runOf(2, 2), lerpOf(4, 0.5), runOf(1, 3, 1),
                                     evaluationOf(1, 1)};
  Trainer first(true), second(true);
  first.run(half);
  first.session().save(folder / "state");
  const RunOutcome expected = first.run(rest);
  second.session().load(folder / "state");
  const RunOutcome outcome = second.run(rest);
  EXPECT_EQ(second.values(), first.values());
  EXPECT_EQ(second.ownValues(1), first.ownValues(1));
  EXPECT_EQ(outcome.results.back().loss, expected.results.back().loss);
  EXPECT_EQ(second.session().scores(kValid, 1, 1), first.session().scores(kValid, 1, 1));
}

TEST(CudaSession, RefusesAnOptimizerOfDenseRows) {
  Trainer device(true);
  OptimizerSpec spec;
  spec.rows = RowSteps::kDense;
  std::string message;
  EXPECT_EQ(kindOfFailure([&] { device.session().addOptimizer(spec); }, &message),
            ErrorKind::kDevice);
  EXPECT_EQ(message,
            "an optimizer with rows 'dense' has no CUDA kernel; expected rows 'lazy', or device "
            "'cpu'");
}

}  // namespace
}  // namespace polydomain
