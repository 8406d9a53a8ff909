#pragma once

#include <string>
#include <vector>

namespace polydomain::cpu {

// SIMD levels this binary holds and this CPU supports, best first ("avx512", "avx2", "sse4",
// "neon", "scalar").
std::vector<std::string> supportedSimdLevels();

// The level in use: the best one, or the one that POLYDOMAIN_SIMD names. Fixed at first use.
// Throws Error(kDevice) when POLYDOMAIN_SIMD names a level that is unknown or not supported here,
// listing those that are.
const std::string& simdLevel();

}  // namespace polydomain::cpu
