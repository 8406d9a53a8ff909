#include <gtest/gtest.h>

#include <vector>

#include "cuda_device.h"
#include "device/recordings.h"
#include "failure.h"
#include "polydomain/error.h"

namespace polydomain {
namespace {

// A number on the device that work doubles.
class CudaRecordings : public testing::Test {
 protected:
  CudaRecordings() {
    auto* memory = number_.atLeast<float>(2);
    const float start[] = {1.0f, 2.0f};
    device_.call<&PolydomainCudaApi::copyIn>(memory, start, sizeof start);
  }
  void run(uintptr_t key) {
    recordings_.run({3, key}, [&] { twice(); });
  }
  void twice() {
    ++calls_;
    auto* memory = number_.data<float>();
    device_.call<&PolydomainCudaApi::scale>(memory + 1, 1, memory);
  }
  float number() const {
    float number = 0.0f;
    device_.call<&PolydomainCudaApi::copyOut>(&number, number_.data<float>(), sizeof number);
    return number;
  }

  const Device device_{cudaApi()};
  DeviceMemory number_{device_};
  Recordings recordings_{device_};
  int calls_ = 0;
};

TEST_F(CudaRecordings, RunWorkThreeTimesAndReplayIt) {
  for (int i = 0; i < 10; ++i) run(1);
  EXPECT_EQ(calls_, 3);
  EXPECT_EQ(number(), 1024.0f);
}

TEST_F(CudaRecordings, TellKeysApart) {
  for (int i = 0; i < 5; ++i) {
    run(1);
    run(2);
  }
  EXPECT_EQ(calls_, 6);
  EXPECT_EQ(number(), 1024.0f);
}

TEST_F(CudaRecordings, KeepThoseThatWereUsedLast) {
  for (int i = 0; i < 3; ++i) run(0);
  for (uintptr_t key = 1; key < 16; ++key) run(key);
  run(0);
  EXPECT_EQ(calls_, 3 + 15);
  for (uintptr_t key = 16; key < 32; ++key) run(key);
  run(0);
  EXPECT_EQ(calls_, 3 + 31 + 1) << "it was forgotten";
}

TEST_F(CudaRecordings, ThrowWhatWorkThrows) {
  const auto failing = [&] {
    recordings_.run({7}, [&] {
      if (calls_ == 2) throw Error(ErrorKind::kDevice, "the third call");
      twice();
    });
  };
  failing();
  failing();
  EXPECT_EQ(kindOfFailure(failing), ErrorKind::kDevice);
  run(1);
  EXPECT_EQ(number(), 8.0f) << "nothing is recorded any more";
  failing();
  failing();
  EXPECT_EQ(calls_, 4);
  EXPECT_EQ(number(), 32.0f);
}

}  // namespace
}  // namespace polydomain
