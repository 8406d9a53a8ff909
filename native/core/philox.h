#pragma once

// Philox4x32-10 (Salmon et al., SC 2011) for one block at a time: of the CPU's scalar code and of
// the device's kernels.

#include <cstdint>

#ifdef __CUDACC__
#define POLYDOMAIN_HOST_DEVICE __host__ __device__
#else
#define POLYDOMAIN_HOST_DEVICE
#endif

namespace polydomain {

inline constexpr uint32_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
inline constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
inline constexpr int kRounds = 10;
inline constexpr float kTwoToMinus24 = 5.9604644775390625e-8f;

struct PhiloxWords {
  uint32_t word[4];
};

POLYDOMAIN_HOST_DEVICE inline PhiloxWords philoxBlock(uint32_t key0, uint32_t key1, uint64_t step,
                                                      uint64_t block) {
  PhiloxWords x{{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                 static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)}};
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(kMultiplier0) * x.word[0];
    const uint64_t p1 = static_cast<uint64_t>(kMultiplier1) * x.word[2];
    x = {{static_cast<uint32_t>(p1 >> 32) ^ x.word[1] ^ key0, static_cast<uint32_t>(p1),
          static_cast<uint32_t>(p0 >> 32) ^ x.word[3] ^ key1, static_cast<uint32_t>(p0)}};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return x;
}

// A float in [0, 1).
POLYDOMAIN_HOST_DEVICE inline float uniformOf(uint32_t word) {
  return static_cast<float>(word >> 8) * kTwoToMinus24;
}

}  // namespace polydomain
