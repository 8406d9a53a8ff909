#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "polydomain/cuda.h"
#include "polydomain/error.h"

namespace polydomain {
namespace {

const std::string kOtherVersion = CUDA_OTHER_VERSION_PLUGIN;
const std::string kEmulated = CUDA_EMULATED_PLUGIN;
const std::string kDriver = CUDA_TEST_DRIVER;

std::string problemOf(const std::string& path) {
  try {
    openCudaPlugin(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    return error.what();
  }
  return "none";
}

TEST(CudaPlugin, SaysWhyAFileCannotBeUsed) {
  const std::string missing = "/nowhere/libpolydomain_cuda.so";
  EXPECT_EQ(problemOf(missing).find("CUDA plugin " + missing + ": "), 0u);
  EXPECT_NE(problemOf(missing).find("No such file"), std::string::npos);
  EXPECT_EQ(problemOf("libm.so.6"), "CUDA plugin libm.so.6: has no function polydomainCudaApi");
  EXPECT_EQ(problemOf(kOtherVersion),
            "CUDA plugin " + kOtherVersion + ": its interface has version 3; expected 2");
}

TEST(CudaPlugin, IsFoundBesideTheProgramOrWhereTheEnvironmentSays) {
  unsetenv("POLYDOMAIN_CUDA");
  const std::string beside = cudaPluginPath();
  EXPECT_EQ(beside.substr(beside.rfind('/') + 1), "libpolydomain_cuda.so");
  setenv("POLYDOMAIN_CUDA", "/elsewhere/plugin.so", 1);
  EXPECT_EQ(cudaPluginPath(), "/elsewhere/plugin.so");
  unsetenv("POLYDOMAIN_CUDA");
}

TEST(CudaPlugin, ThrowsWhatACallSays) {
  const PolydomainCudaApi& api = openCudaPlugin(kEmulated);
  PolydomainCudaStream* stream = nullptr;
  requireCuda(api, api.createStream(0, &stream));
  try {
    requireCuda(api, api.sumRows(stream, nullptr, -1, nullptr, nullptr, 0, 1, nullptr));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_STREQ(error.what(), "sumRows: -1 lists; expected at most 64");
  }
  requireCuda(api, api.destroyStream(stream));
}

TEST(CudaPlugin, IsDescribedWithDriverAndDevices) {
  EXPECT_EQ(describeCuda(kEmulated, "libnowhere.so.1"), "no NVIDIA driver (libnowhere.so.1)");
  EXPECT_EQ(
      describeCuda(kEmulated, kDriver.c_str()),
      "NVIDIA driver for CUDA 13.1, emulation (sm_00, 0 GiB), no cuBLASLt, plugin " + kEmulated);
  EXPECT_EQ(describeCuda("libm.so.6", kDriver.c_str()),
            "NVIDIA driver for CUDA 13.1, CUDA plugin libm.so.6: has no function "
            "polydomainCudaApi");
}

}  // namespace
}  // namespace polydomain
