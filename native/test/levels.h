#pragma once

#include <hwy/highway.h>

#include <string>

#include "cpu/simd.h"

namespace polydomain {

// Calls body(level) at every SIMD level that this machine supports, best first. The product fixes
// its level at start; a test may tell Highway of another one.
template <typename Body>
void forEachLevel(const Body& body) {
  const auto targetOf = [](const std::string& level) -> int64_t {
    if (level == "avx512") return HWY_AVX3;
    if (level == "avx2") return HWY_AVX2;
    if (level == "sse4") return HWY_SSE4;
    if (level == "neon") return HWY_NEON;
    return HWY_SCALAR;
  };
  for (const std::string& level : cpu::supportedSimdLevels()) {
    hwy::GetChosenTarget().Update(targetOf(level));
    body(level);
  }
  hwy::GetChosenTarget().DeInit();
}

}  // namespace polydomain
