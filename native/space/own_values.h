#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "polydomain/space.h"

// How shared and own values of a unit make its effective ones, and back. Units are of a few cache
// lines, or one: loops over whole lines have a length that the compiler knows.
namespace polydomain {

inline constexpr int64_t kLineFloats = 16;

// Calls each(i) for i in [0, size).
template <typename Each>
inline void forValues(int64_t size, const Each& each) {
  int64_t i = 0;
  for (; i + kLineFloats <= size; i += kLineFloats) {
    for (int64_t j = 0; j < kLineFloats; ++j) each(i + j);
  }
  for (; i < size; ++i) each(i);
}

inline void copyValues(const float* __restrict from, int64_t size, float* __restrict to) {
  forValues(size, [&](int64_t i) { to[i] = from[i]; });
}

// value: in, the shared values; out, the effective ones.
inline void combineValues(Combine combine, const float* __restrict specific, int64_t size,
                          float* __restrict value) {
  switch (combine) {
    case Combine::kPlus:
      return forValues(size, [&](int64_t i) { value[i] += specific[i]; });
    case Combine::kTimes:
      return forValues(size, [&](int64_t i) { value[i] *= specific[i]; });
    case Combine::kReplace:
      return copyValues(specific, size, value);
  }
}

// Whether expected(i) is not, bit for bit, value[i] for some i in [0, size).
template <typename Expected>
inline bool differs(const float* value, int64_t size, const Expected& expected) {
  const auto bits = [&](int64_t i) {
    return std::bit_cast<uint32_t>(expected(i)) ^ std::bit_cast<uint32_t>(value[i]);
  };
  int64_t i = 0;
  // The first line tells, as a rule: training moves all of a unit.
  for (; i + kLineFloats <= size; i += kLineFloats) {
    uint32_t any = 0;
    for (int64_t j = 0; j < kLineFloats; ++j) any |= bits(i + j);
    if (any != 0) return true;
  }
  for (; i < size; ++i) {
    if (bits(i) != 0) return true;
  }
  return false;
}

// Whether effective values are not what combineValues would make; specific is null where own values
// start neutral.
inline bool combinesToOther(Combine combine, const float* base, const float* specific,
                            const float* effective, int64_t size) {
  if (specific == nullptr) return differs(effective, size, [&](int64_t i) { return base[i]; });
  switch (combine) {
    case Combine::kPlus:
      return differs(effective, size, [&](int64_t i) { return base[i] + specific[i]; });
    case Combine::kTimes:
      return differs(effective, size, [&](int64_t i) { return base[i] * specific[i]; });
    case Combine::kReplace:
      break;
  }
  return differs(effective, size, [&](int64_t i) { return specific[i]; });
}

// The own values that make effective ones of the shared ones.
inline void separateValues(Combine combine, const float* __restrict base,
                           const float* __restrict effective, int64_t size,
                           float* __restrict specific) {
  switch (combine) {
    case Combine::kPlus:
      return forValues(size, [&](int64_t i) { specific[i] = effective[i] - base[i]; });
    case Combine::kTimes:
      // A shared zero hides its factor: it stays as it was.
      return forValues(size, [&](int64_t i) {
        specific[i] = base[i] != 0.0f ? effective[i] / base[i] : specific[i];
      });
    case Combine::kReplace:
      return copyValues(effective, size, specific);
  }
}

}  // namespace polydomain
