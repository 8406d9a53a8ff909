#include <gtest/gtest.h>

#include <cmath>

#include "cuda_device.h"

namespace polydomain {
namespace {

// The same layer by cuBLASLt and by the own kernel, whose tests have a reference in double.
TEST(CublasLt, MakesTheProductsOfTheOwnKernel) {
  const CudaStream stream;
  const CudaArray<uint64_t> step(stream, uint64_t{3});
  struct Case {
    bool transposeA, transposeB;
    int64_t m, n, k, gap;
  };
  for (const Case& c : {Case{false, true, 1000, 256, 384, 0}, Case{false, true, 65, 33, 17, 1},
                        Case{false, false, 512, 384, 256, 4}, Case{true, false, 256, 384, 4096, 0},
                        Case{true, true, 50, 60, 70, 0}, Case{false, true, 64, 1, 64, 0}}) {
    const int64_t lda = (c.transposeA ? c.m : c.k) + c.gap;
    const int64_t ldb = (c.transposeB ? c.k : c.n) + c.gap;
    const int64_t ldc = c.n + c.gap;
    const CudaArray<float> a(stream, randomFloats((c.transposeA ? c.k : c.m) * lda, 1));
    const CudaArray<float> b(stream, randomFloats((c.transposeB ? c.n : c.k) * ldb, 2));
    const CudaArray<float> bias(stream, randomFloats(c.n, 3));
    const CudaArray<float> gate(stream, randomFloats(c.m * c.n, 4));
    for (int epilogue = 0; epilogue < 4; ++epilogue) {
      std::vector<std::vector<float>> made;
      for (const PolydomainCudaProducer producer :
           {POLYDOMAIN_CUDA_OWN, POLYDOMAIN_CUDA_CUBLASLT, POLYDOMAIN_CUDA_CUBLASLT}) {
        const CudaArray<float> out(stream,
                                   std::vector<float>(static_cast<size_t>(c.m * ldc), 7.0f));
        PolydomainCudaProduct p{};
        p.m = c.m;
        p.n = c.n;
        p.k = c.k;
        p.a = a.data();
        p.b = b.data();
        p.c = out.data();
        p.lda = lda;
        p.ldb = ldb;
        p.ldc = ldc;
        p.transposeA = c.transposeA;
        p.transposeB = c.transposeB;
        p.keep = epilogue == 2 ? 0.5f : 1.0f;
        p.random = {1, 2, step.data()};
        if (epilogue > 0) p.bias = bias.data();
        p.relu = epilogue > 1;
        if (epilogue == 3) {
          p.gate = gate.data();
          p.gateStride = c.n;
          p.gateScale = 2.0f;
        }
        p.producer = producer;
        succeed(cudaApi().product(stream, &p));
        made.push_back(out.read());
      }
      EXPECT_EQ(made[1], made[2]) << "bits differ from run to run";
      for (size_t i = 0; i < made[0].size(); ++i) {
        // Rounding errors of both, which are far below their bounds; TF32 would be far above.
        // Dropout and the gate double them.
        const double scale = epilogue < 2 ? 1.0 : 2.0;
        const double bound = scale * 2.0 * static_cast<double>(c.k + 8) * 0x1p-24;
        ASSERT_NEAR(made[1][i], made[0][i], bound) << epilogue << ", element " << i;
      }
    }
  }
}

TEST(CudaDevice, IsDescribed) {
  int32_t count = 0;
  succeed(cudaApi().deviceCount(&count));
  ASSERT_GT(count, 0);
  PolydomainCudaDevice device;
  succeed(cudaApi().deviceInfo(0, &device));
  EXPECT_GE(device.major, 8);
  EXPECT_GT(device.memory, uint64_t{1} << 30);
}

TEST(CudaDevice, SaysThatMemoryIsOut) {
  const CudaStream stream;
  void* memory = nullptr;
  EXPECT_EQ(cudaApi().allocate(stream, size_t{1} << 50, &memory), 1);
  EXPECT_NE(std::string(cudaApi().lastError()).find("cudaErrorMemoryAllocation"),
            std::string::npos);
  // And goes on.
  const CudaArray<float> values(stream, randomFloats(10, 1));
  EXPECT_EQ(values.read(), randomFloats(10, 1));
}

}  // namespace
}  // namespace polydomain
