// Programs on a device beside those on the CPU: the same graph, start, batches and dropout.
// Products are summed up in another order, so values agree within the rounding of float sums.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "cuda_device.h"
#include "device/device_space.h"
#include "failure.h"
#include "mlp.h"
#include "polydomain/program.h"

namespace polydomain {
namespace {

constexpr double kBound = 2e-6;  // relative, after a few steps

struct Batch {
  Batch(int64_t rows, uint64_t step, bool oneDomain)
      : rows(rows),
        users(mlp::randomIds(rows, mlp::kUsers, 3 * step)),
        items(mlp::randomIds(rows, mlp::kItems, 3 * step + 1)),
        domains(mlp::randomIds(rows, mlp::kDomains, 3 * step + 2)),
        labels(mlp::randomLabels(rows, step)) {
    if (oneDomain) std::ranges::fill(domains, domains.front());
  }
  int64_t rows;
  std::vector<int32_t> users, items, domains;
  std::vector<float> labels;
};

OptimizerSpec momentum() {
  OptimizerSpec spec;
  spec.kind = OptimizerKind::kSgd;
  spec.learningRate = 0.5f;
  spec.momentum = 0.9f;
  return spec;
}

struct Options {
  Mode mode = Mode::kTrain;
  OptimizerSpec optimizer = momentum();
  bool fuse = true;
  std::vector<std::string> trained;  // empty: all
  std::string labelOp;
};

// A program over a space of its own.
class Trainer {
 public:
  Trainer(const Options& options, bool onDevice)
      : space_(mlp::parameters(), 5),
        pool_(std::make_shared<ThreadPool>(2)),
        optimizer_(space_, options.optimizer),
        gradients_(space_) {
    if (onDevice) {
      mirror_ = std::make_unique<DeviceSpace>(std::make_shared<Device>(cudaApi()), space_, pool_);
    }
    const mlp::Model model = mlp::build(0.7, options.labelOp);
    ProgramOptions program;
    program.mode = options.mode;
    program.output = model.output;
    program.loss = model.loss;
    program.fuse = options.fuse;
    program.device = mirror_.get();
    if (!options.trained.empty()) program.trained = space_.select(options.trained);
    program_ = std::make_unique<Program>(model.graph, space_, program);
  }

  void beginPass(OverlayId overlay = -1) {
    program_->beginPass();
    if (mirror_) mirror_->beginPass(overlay, &optimizer_);
  }
  void endPass() {
    if (mirror_) mirror_->endPass();
  }
  void run(const Batch& batch, uint64_t step, OverlayId overlay = -1,
           const float* dense = nullptr) {
    Program::Run run;
    run.profile = profile_;
    run.pool = pool_.get();
    run.rows = batch.rows;
    run.seed = 9;
    run.step = step;
    run.optimizer = &optimizer_;
    run.gradients = &gradients_;
    run.gradientScale = 0.5f;
    run.overlay = overlay;
    run.dense = dense;
    for (const std::string& name : program_->inputNames()) {
      if (name == "feature:0") run.inputs.push_back({batch.users.data()});
      if (name == "feature:1") run.inputs.push_back({batch.items.data()});
      if (name == "domain") run.inputs.push_back({batch.domains.data()});
      if (name == "label") run.inputs.push_back({batch.labels.data()});
    }
    program_->run(run);
  }
  void train(uint64_t steps, bool oneDomain) {
    beginPass();
    // Of other sizes: the memory of the first steps does for the others too.
    for (uint64_t step = 0; step < steps; ++step) {
      run(Batch(step == 1 ? 9 : 40, step, oneDomain), step);
    }
    endPass();
  }

  std::vector<float> logits(int64_t rows) const {
    return {program_->output(), program_->output() + rows};
  }
  std::vector<float> values() { return mlp::sharedValues(space_); }
  std::vector<float> states() {
    std::vector<float> all;
    for (int region = 0; region < space_.regionCount(); ++region) {
      for (int index = 0; optimizer_.state(region, index) != nullptr; ++index) {
        const float* from = optimizer_.state(region, index);
        all.insert(all.end(), from, from + space_.unitCount(region) * space_.unitSize(region));
      }
    }
    return all;
  }
  void record(Profile& profile) { profile_ = &profile; }
  ParameterSpace& space() { return space_; }
  Program& program() { return *program_; }
  GradientBuffer& gradients() { return gradients_; }
  DeviceSpace& mirror() { return *mirror_; }

 private:
  ParameterSpace space_;
  std::shared_ptr<ThreadPool> pool_;
  OptimizerState optimizer_;
  GradientBuffer gradients_;
  std::unique_ptr<DeviceSpace> mirror_;
  std::unique_ptr<Program> program_;
  Profile* profile_ = nullptr;
};

double relativeDistance(const std::vector<float>& a, const std::vector<float>& b) {
  double distance = 0.0, size = 0.0;
  EXPECT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    distance += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(distance / size);
}

class CudaPrograms : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Domains, CudaPrograms, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& test) {
                           return std::string(test.param ? "One" : "Mixed");
                         });

TEST_P(CudaPrograms, TrainAsTheCpuDoes) {
  for (const bool fuse : {true, false}) {
    Options options;
    options.fuse = fuse;
    Trainer cpu(options, false), device(options, true);
    const std::vector<float> start = cpu.values();
    cpu.beginPass();
    device.beginPass();
    for (uint64_t step = 0; step < 3; ++step) {
      const Batch batch(40, step, GetParam());
      cpu.run(batch, step);
      device.run(batch, step);
      EXPECT_NEAR(device.program().loss(), cpu.program().loss(), 1e-6) << step;
      EXPECT_LT(relativeDistance(device.logits(40), cpu.logits(40)), kBound) << step;
    }
    EXPECT_EQ(device.values(), start) << "the space has the values between passes";
    device.endPass();
    EXPECT_LT(relativeDistance(device.values(), cpu.values()), kBound);
    EXPECT_LT(relativeDistance(device.states(), cpu.states()), 4 * kBound);
    EXPECT_GT(relativeDistance(device.values(), start), 1e-2) << "nothing was trained";
  }
}

TEST_P(CudaPrograms, TrainWithTheSameBitsAgain) {
  Trainer first({}, true), second({}, true);
  first.train(3, GetParam());
  second.train(3, GetParam());
  EXPECT_EQ(first.values(), second.values());
}

// With a profile every kernel is queued; without, steps of one size are replayed from the sixth on.
TEST_P(CudaPrograms, ReplayWhatTheyWouldQueue) {
  Trainer queued({}, true), replayed({}, true);
  Profile profile;
  queued.record(profile);
  queued.train(14, GetParam());
  replayed.train(14, GetParam());
  EXPECT_EQ(replayed.values(), queued.values());
  EXPECT_EQ(replayed.states(), queued.states());
  EXPECT_EQ(replayed.logits(40), queued.logits(40));
}

// What a pass leaves, the next one finds.
TEST_P(CudaPrograms, GoOnInTheNextPass) {
  Trainer once({}, true), twice({}, true);
  once.beginPass();
  for (uint64_t step = 0; step < 4; ++step) once.run(Batch(30, step, GetParam()), step);
  once.endPass();
  for (uint64_t step = 0; step < 4; ++step) {
    twice.beginPass();
    twice.run(Batch(30, step, GetParam()), step);
    twice.endPass();
  }
  EXPECT_EQ(once.values(), twice.values());
  EXPECT_EQ(once.states(), twice.states());
}

TEST(CudaProgram, StepsByEveryOptimizer) {
  std::vector<OptimizerSpec> specs(4);
  specs[0].kind = OptimizerKind::kSgd;
  specs[0].weightDecay = 0.01f;
  specs[1].kind = OptimizerKind::kAdagrad;
  specs[1].initialAccumulator = 0.1f;
  specs[2].kind = OptimizerKind::kAdam;
  specs[3].kind = OptimizerKind::kAdamW;
  specs[3].weightDecay = 0.1f;
  for (OptimizerSpec& spec : specs) {
    spec.learningRate = 0.05f;
    spec.epsilon = 1e-2f;  // else Adam's quotients magnify the rounding of tiny gradients
    Options options;
    options.optimizer = spec;
    Trainer cpu(options, false), device(options, true);
    cpu.train(4, false);
    device.train(4, false);
    EXPECT_LT(relativeDistance(device.values(), cpu.values()), kBound)
        << static_cast<int>(spec.kind);
  }
}

TEST(CudaProgram, TrainsWhatIsSelectedAlone) {
  for (const std::vector<std::string>& trained :
       {std::vector<std::string>{"layer0.*", "embedding.item"}, {"embedding.*"}, {"output.*"}}) {
    Options options;
    options.trained = trained;
    Trainer cpu(options, false), device(options, true);
    const std::vector<float> start = cpu.values();
    cpu.train(3, false);
    device.train(3, false);
    const std::vector<float> expected = cpu.values(), got = device.values();
    EXPECT_LT(relativeDistance(got, expected), kBound);
    for (size_t i = 0; i < start.size(); ++i) {
      if (expected[i] == start[i]) {
        EXPECT_EQ(got[i], start[i]) << trained[0] << i;
      }
    }
  }
}

TEST_P(CudaPrograms, AddTheGradientOfTheCpuToABuffer) {
  Options options;
  options.mode = Mode::kGradient;
  Trainer cpu(options, false), device(options, true);
  const std::vector<float> start = device.values();
  cpu.train(2, GetParam());
  device.train(2, GetParam());
  EXPECT_EQ(device.values(), start);
  const double size = cpu.gradients().norm();
  EXPECT_GT(size, 0.0);
  EXPECT_EQ(device.gradients().units(), cpu.gradients().units());
  device.gradients().add(cpu.gradients(), -1.0f);
  EXPECT_LT(device.gradients().norm(), kBound * size);
}

// An overlay's effective values, dense ones and rows.
TEST(CudaProgram, EvaluatesADomainsOwnValues) {
  Options options;
  options.mode = Mode::kEvaluate;
  for (const Combine combine : {Combine::kPlus, Combine::kTimes}) {
    Trainer cpu(options, false), device(options, true);
    for (Trainer* trainer : {&cpu, &device}) {
      ParameterSpace& space = trainer->space();
      space.configureOverlays(combine, SpecificStart::kRandom,
                              Selection(static_cast<size_t>(space.parameterCount()), true));
      const int item = space.find("embedding.item"), bias = space.find("layer0.bias");
      space.setOverlayUnit(1, item, 7, std::vector<float>(8, 0.25f));
      std::vector<float> block(kDenseBlock, 0.0f);
      std::fill_n(block.begin(), 24, 0.5f);
      space.setOverlayUnit(1, bias, 0, block);
    }
    const Batch batch(40, 1, true);
    std::vector<float> dense(static_cast<size_t>(cpu.space().unitCount(0) * kDenseBlock));
    cpu.space().gatherDense(1, dense.data());
    for (const OverlayId overlay : {1, -1}) {
      device.mirror().beginPass(overlay, nullptr);
      device.run(batch, 0);
      const std::vector<float> got = device.logits(40);
      device.mirror().endPass();
      cpu.run(batch, 0, overlay, overlay == 1 ? dense.data() : nullptr);
      EXPECT_LT(relativeDistance(got, cpu.logits(40)), kBound) << overlay;
    }
  }
}

TEST(CudaProgram, SeesWhatTheSpaceBecameMeanwhile) {
  Options options;
  options.mode = Mode::kEvaluate;
  Trainer device(options, true);
  const Batch batch(20, 1, false);
  device.mirror().beginPass(-1, nullptr);
  device.run(batch, 0);
  const std::vector<float> before = device.logits(20);
  for (int region = 0; region < device.space().regionCount(); ++region) {
    float* values = device.space().region(region);
    const int64_t size = device.space().unitCount(region) * device.space().unitSize(region);
    for (int64_t i = 0; i < size; ++i) values[i] *= 1.5f;
  }
  device.run(batch, 0);
  EXPECT_EQ(device.logits(20), before) << "as long as nobody says so";
  device.mirror().refresh();
  device.run(batch, 0);
  const std::vector<float> after = device.logits(20);
  device.mirror().endPass();
  EXPECT_NE(after, before);
  device.mirror().beginPass(-1, nullptr);
  device.run(batch, 0);
  EXPECT_EQ(device.logits(20), after);
}

TEST(CudaProgram, WritesNothingWhenTheLossIsNotFinite) {
  Options options;
  options.labelOp = "log";  // of label 0
  Trainer device(options, true);
  const std::vector<float> start = device.values();
  device.beginPass();
  EXPECT_EQ(kindOfFailure([&] { device.run(Batch(20, 0, false), 0); }), ErrorKind::kTraining);
  device.endPass();
  EXPECT_EQ(device.values(), start);
}

TEST(CudaProgram, NamesAnOpWithoutAKernel) {
  ParameterSpace space(mlp::parameters(), 5);
  DeviceSpace mirror(std::make_shared<Device>(cudaApi()), space, std::make_shared<ThreadPool>(1));
  mlp::Model model = mlp::build(0.7);
  ProgramOptions options;
  options.mode = Mode::kEvaluate;
  options.output =
      model.graph.add("k_max_pool", {model.output}, {{"axis", int64_t{1}}, {"k", int64_t{1}}});
  options.loss = model.loss;
  options.device = &mirror;
  std::string message;
  EXPECT_EQ(kindOfFailure([&] { Program(model.graph, space, options); }, &message),
            ErrorKind::kDevice);
  EXPECT_EQ(message,
            "op 'k_max_pool' has no CUDA kernel; expected a model without it, or device 'cpu'");
}

}  // namespace
}  // namespace polydomain
