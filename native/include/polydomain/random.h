#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace polydomain {

// Names one independent random sequence: results depend on (seed, stream, step) and on the logical
// element index, never on threads or on the order of calls. A stream is a stable name's hash.
struct RandomKey {
  uint64_t seed = 0;
  uint64_t stream = 0;
  uint64_t step = 0;
};

// FNV-1a of a stable node name.
constexpr uint64_t streamOf(std::string_view name) {
  uint64_t hash = 14695981039346656037ull;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four
// 32-bit words for counter block `block`. Element i of a sequence is word i % 4 of block i / 4.
// key = (seed ^ mix(stream)), counter = (block, step); see random.cpp.
std::array<uint32_t, 4> philox(const RandomKey& key, uint64_t block);
// The key's two words, the first in the lower half.
uint64_t philoxKey(const RandomKey& key);

// Element `index` as a float in [0, 1): the word's upper 24 bits times 2^-24.
float uniformAt(const RandomKey& key, uint64_t index);

// Fills out[0, count) with elements first .. first + count of the sequence; vectorised.
void fillUniform(const RandomKey& key, uint64_t first, int64_t count, float low, float high,
                 float* out);
// The words of these elements.
void fillBits(const RandomKey& key, uint64_t first, int64_t count, uint32_t* out);
// An element is below `limit`, in [0, 1), where its word is below this.
uint32_t bitsBelow(float limit);
// Box-Muller on pairs of elements.
void fillNormal(const RandomKey& key, uint64_t first, int64_t count, float mean, float deviation,
                float* out);
// A permutation of 0 .. count - 1 (Fisher-Yates with unbiased bounded draws).
void fillPermutation(const RandomKey& key, int64_t count, int32_t* out);

}  // namespace polydomain
