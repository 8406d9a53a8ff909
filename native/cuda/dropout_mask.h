#pragma once

#include "core/philox.h"
#include "grid.h"

namespace polydomain::cuda {

// Which elements of a value dropout keeps.
struct DropoutMask {
  PolydomainCudaRandom random;
  float keep;  // 1: all, whatever the random numbers
  uint64_t step = 0;

  POLYDOMAIN_DEVICE void begin() {
    if (random.step != nullptr) step = *random.step;
  }

  // Of the elements from `first` on: scaled by 1 / keep where they are kept, else 0.
  template <int W>
  POLYDOMAIN_DEVICE void apply(uint64_t first, float* values) const {
    if (keep >= 1.0f) return;
    const float scale = 1.0f / keep;
    if (W == 4 && first % 4 == 0) {
      const PhiloxWords words = philoxBlock(random.key0, random.key1, step, first / 4);
      POLYDOMAIN_UNROLL()
      for (int i = 0; i < W; ++i) {
        values[i] = uniformOf(words.word[i]) < keep ? values[i] * scale : 0.0f;
      }
      return;
    }
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < W; ++i) {
      const uint64_t at = first + static_cast<uint64_t>(i);
      const PhiloxWords words = philoxBlock(random.key0, random.key1, step, at / 4);
      // Not an index: it would put the words into memory.
      const uint32_t even = at % 4 == 0 ? words.word[0] : words.word[2];
      const uint32_t odd = at % 4 == 1 ? words.word[1] : words.word[3];
      values[i] = uniformOf(at % 2 == 0 ? even : odd) < keep ? values[i] * scale : 0.0f;
    }
  }
};

}  // namespace polydomain::cuda
