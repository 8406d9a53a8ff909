#include <gtest/gtest.h>

#include <cmath>

#include "cpu/optimizer_update.h"
#include "cpu/simd.h"
#include "cuda_device.h"

namespace polydomain {
namespace {

struct Case {
  const char* name;
  PolydomainCudaOptimizer device;
  OptimizerKind kind;
  int states;
  UpdateScalars scalars;
  float initialAccumulator = 0.0f;
};

// learningRate, weightDecay, l2, momentum, nesterov, beta1, beta2, epsilon, stepSize, and the root
// of the second moment's bias correction.
const std::vector<Case> kCases = {
    {"Sgd", POLYDOMAIN_CUDA_SGD, OptimizerKind::kSgd, 0, {0.1f, 0, 0, 0, false, 0, 0, 0, 0, 1}},
    {"SgdWithDecayAndL2",
     POLYDOMAIN_CUDA_SGD,
     OptimizerKind::kSgd,
     0,
     {0.1f, 0.02f, 0.01f, 0, false, 0, 0, 0, 0, 1}},
    {"Momentum",
     POLYDOMAIN_CUDA_SGD,
     OptimizerKind::kSgd,
     1,
     {0.1f, 0, 0, 0.9f, false, 0, 0, 0, 0, 1}},
    {"Nesterov",
     POLYDOMAIN_CUDA_SGD,
     OptimizerKind::kSgd,
     1,
     {0.1f, 0.01f, 0, 0.9f, true, 0, 0, 0, 0, 1}},
    {"Adagrad",
     POLYDOMAIN_CUDA_ADAGRAD,
     OptimizerKind::kAdagrad,
     1,
     {0.1f, 0, 0.01f, 0, false, 0, 0, 1e-10f, 0, 1},
     0.1f},
    {"AdamTorch",
     POLYDOMAIN_CUDA_ADAM,
     OptimizerKind::kAdam,
     2,
     {1e-2f, 0, 0, 0, false, 0.9f, 0.999f, 1e-8f, 0.0526f, 0.0547f}},
    {"AdamTf1WithL2",
     POLYDOMAIN_CUDA_ADAM,
     OptimizerKind::kAdam,
     2,
     {1e-2f, 0, 0.01f, 0, false, 0.9f, 0.999f, 1e-7f, 0.0029f, 1}},
    {"AdamW",
     POLYDOMAIN_CUDA_ADAMW,
     OptimizerKind::kAdamW,
     2,
     {1e-2f, 0.1f, 0, 0, false, 0.9f, 0.999f, 1e-8f, 0.0526f, 0.0547f}},
};

class CudaOptimizer : public testing::TestWithParam<Case> {
 protected:
  OptimizerSpec spec() const {
    OptimizerSpec spec;
    spec.kind = GetParam().kind;
    spec.initialAccumulator = GetParam().initialAccumulator;
    return spec;
  }
  PolydomainCudaScalars deviceScalars() const {
    const UpdateScalars& s = GetParam().scalars;
    return {s.learningRate,
            s.weightDecay,
            s.l2,
            s.momentum,
            s.beta1,
            s.beta2,
            s.epsilon,
            s.stepSize,
            s.biasCorrection2Sqrt,
            GetParam().initialAccumulator,
            s.nesterov ? 1 : 0};
  }
  // The same formulas with the same fused multiply-adds; without them a product is rounded first.
  static void expectSame(const std::vector<float>& device, const std::vector<float>& cpu) {
    if (cpu::simdLevel() != "sse4" && cpu::simdLevel() != "scalar") {
      EXPECT_EQ(device, cpu);
      return;
    }
    ASSERT_EQ(device.size(), cpu.size());
    for (size_t i = 0; i < cpu.size(); ++i) {
      ASSERT_NEAR(device[i], cpu[i], 1e-6 * std::abs(cpu[i]) + 1e-7) << i;
    }
  }
  static std::vector<float> squares(std::vector<float> values) {
    for (float& value : values) value *= value;
    return values;
  }
};

TEST_P(CudaOptimizer, UpdatesASlabAsTheCpuDoes) {
  const CudaStream stream;
  const int states = GetParam().states;
  const CudaArray<PolydomainCudaScalars> scalars(stream, deviceScalars());
  for (const int64_t n : {0, 1, 3, 4, 1000, 4099}) {
    for (const size_t skipped : {0, 1}) {
      std::vector<float> w = randomFloats(n, 1), g = randomFloats(n, 2);
      std::vector<float> s0 = squares(randomFloats(n, 3)), s1 = squares(randomFloats(n, 4));
      const CudaArray<float> weights(stream, w), gradient(stream, g, skipped), state0(stream, s0),
          state1(stream, s1);
      for (int step = 0; step < 2; ++step) {
        succeed(cudaApi().updateWeights(
            stream, GetParam().device, scalars.data(), n, weights.data(), gradient.data(),
            states > 0 ? state0.data() : nullptr, states > 1 ? state1.data() : nullptr));
        cpu::updateWeights(spec(), GetParam().scalars, n, w.data(), g.data(),
                           states > 0 ? s0.data() : nullptr, states > 1 ? s1.data() : nullptr);
      }
      expectSame(weights.read(), w);
      expectSame(state0.read(), s0);
      expectSame(state1.read(), s1);
    }
  }
}

TEST_P(CudaOptimizer, UpdatesRowsAndLeavesTheOthers) {
  const CudaStream stream;
  const int states = GetParam().states;
  const CudaArray<PolydomainCudaScalars> scalars(stream, deviceScalars());
  constexpr int64_t kRows = 150;
  for (const int64_t dim : {1, 3, 16, 128}) {
    for (const int64_t count : {0, 1, 100}) {
      const std::vector<int32_t> ids = distinctRows(kRows, count);
      const int64_t n = kRows * dim;
      std::vector<float> table = randomFloats(n, 1), g = randomFloats(count * dim, 2);
      std::vector<float> s0 = squares(randomFloats(n, 3)), s1 = squares(randomFloats(n, 4));
      const CudaArray<int32_t> rows(stream, ids);
      const CudaArray<float> weights(stream, table), gradient(stream, g), state0(stream, s0),
          state1(stream, s1);
      succeed(cudaApi().updateRows(stream, GetParam().device, scalars.data(),
                                   {rows.data(), count, dim}, weights.data(), gradient.data(),
                                   states > 0 ? state0.data() : nullptr,
                                   states > 1 ? state1.data() : nullptr));
      cpu::updateRows(spec(), GetParam().scalars, ids, dim, table.data(), g.data(),
                      states > 0 ? s0.data() : nullptr, states > 1 ? s1.data() : nullptr);
      expectSame(weights.read(), table);
      expectSame(state0.read(), s0);
      expectSame(state1.read(), s1);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllRules, CudaOptimizer, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(CudaOptimizerKind, SaysWhichThereAre) {
  const CudaStream stream;
  EXPECT_EQ(cudaApi().updateWeights(stream, 9, nullptr, 1, nullptr, nullptr, nullptr, nullptr), 1);
  EXPECT_STREQ(cudaApi().lastError(), "optimizer 9; expected 0 to 3");
}

}  // namespace
}  // namespace polydomain
