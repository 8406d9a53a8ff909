#pragma once

#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace polydomain {

inline void pauseBriefly() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

// Waits for what another thread is about to do.
template <typename Done>
void waitUntil(const Done& done) {
  constexpr int kSpins = 4000;
  for (int spins = 0; !done(); ++spins) {
    if (spins < kSpins) {
      pauseBriefly();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace polydomain
