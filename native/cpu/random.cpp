#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "random.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/philox.h"
#include "hwy/highway.h"
#include "polydomain/random.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

int64_t uniformBlocks(uint32_t, uint32_t, uint64_t, uint64_t, int64_t, float, float, float*) {
  return 0;  // all is left to the caller
}

#else

// The two halves of the 64-bit products of 32-bit lanes.
template <class D, class V>
HWY_INLINE void multiply(D d, V x, uint32_t factor, V* high, V* low) {
  const hn::RepartitionToWide<D> dw;
  const V m = hn::Set(d, factor);
  const V even = hn::BitCast(d, hn::MulEven(x, m));
  const V odd =
      hn::BitCast(d, hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(dw, x))), m));
  const V oddLow = hn::BitCast(d, hn::ShiftLeft<32>(hn::BitCast(dw, odd)));
  const V evenHigh = hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(dw, even)));
  *low = hn::OddEven(oddLow, even);
  *high = hn::OddEven(odd, evenHigh);
}

// out[4 i .. 4 i + 3] = low + (high - low) * uniforms of block `firstBlock` + i. Returns the blocks
// done: a multiple of the vector's lanes.
int64_t uniformBlocks(uint32_t key0, uint32_t key1, uint64_t step, uint64_t firstBlock,
                      int64_t blocks, float low, float high, float* out) {
  const hn::ScalableTag<uint32_t> d;
  const hn::RebindToFloat<decltype(d)> df;
  const hn::RebindToSigned<decltype(d)> di;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto range = hn::Set(df, high - low);
  const auto offset = hn::Set(df, low);
  int64_t i = 0;
  for (; i + lanes <= blocks; i += lanes) {
    const uint64_t block = firstBlock + static_cast<uint64_t>(i);
    // A vector never crosses a border of 2^32 blocks: such pieces are left to the caller.
    if ((block >> 32) != ((block + static_cast<uint64_t>(lanes)) >> 32)) break;
    auto x0 = hn::Add(hn::Set(d, static_cast<uint32_t>(block)), hn::Iota(d, 0));
    auto x1 = hn::Set(d, static_cast<uint32_t>(block >> 32));
    auto x2 = hn::Set(d, static_cast<uint32_t>(step));
    auto x3 = hn::Set(d, static_cast<uint32_t>(step >> 32));
    uint32_t k0 = key0, k1 = key1;
    for (int round = 0; round < kRounds; ++round) {
      hn::Vec<decltype(d)> high0, low0, high1, low1;
      multiply(d, x0, kMultiplier0, &high0, &low0);
      multiply(d, x2, kMultiplier1, &high1, &low1);
      x0 = hn::Xor(hn::Xor(high1, x1), hn::Set(d, k0));
      x2 = hn::Xor(hn::Xor(high0, x3), hn::Set(d, k1));
      x1 = low1;
      x3 = low0;
      k0 += kWeyl0;
      k1 += kWeyl1;
    }
    const auto uniform = [&](hn::Vec<decltype(d)> word) HWY_ATTR {
      const auto number = hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<8>(word)));
      return hn::Add(offset, hn::Mul(range, hn::Mul(number, hn::Set(df, kTwoToMinus24))));
    };
    hn::StoreInterleaved4(uniform(x0), uniform(x1), uniform(x2), uniform(x3), df, out + 4 * i);
  }
  return i;
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace polydomain
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain {

HWY_EXPORT(uniformBlocks);

namespace {

// splitmix64's finaliser: spreads a stream's hash over the key.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// One float from an element's 32 bits, as the vector code computes it.
float scaled(uint32_t word, float low, float high) { return low + (high - low) * uniformOf(word); }

}  // namespace

uint64_t philoxKey(const RandomKey& key) { return key.seed ^ mix(key.stream); }

std::array<uint32_t, 4> philox(const RandomKey& key, uint64_t block) {
  const uint64_t mixed = philoxKey(key);
  return std::to_array(
      philoxBlock(static_cast<uint32_t>(mixed), static_cast<uint32_t>(mixed >> 32), key.step, block)
          .word);
}

float uniformAt(const RandomKey& key, uint64_t index) {
  return scaled(philox(key, index / 4)[index % 4], 0.0f, 1.0f);
}

void fillUniform(const RandomKey& key, uint64_t first, int64_t count, float low, float high,
                 float* out) {
  const uint64_t mixed = philoxKey(key);
  int64_t i = 0;
  while (i < count) {
    const uint64_t index = first + static_cast<uint64_t>(i);
    if (index % 4 == 0) {
      const int64_t done = HWY_DYNAMIC_DISPATCH(uniformBlocks)(
          static_cast<uint32_t>(mixed), static_cast<uint32_t>(mixed >> 32), key.step, index / 4,
          (count - i) / 4, low, high, out + i);
      i += 4 * done;
      if (i == count) return;
    }
    const uint64_t at = first + static_cast<uint64_t>(i);
    const std::array<uint32_t, 4> words = philox(key, at / 4);
    for (uint64_t w = at % 4; w < 4 && i < count; ++w) out[i++] = scaled(words[w], low, high);
  }
}

void fillNormal(const RandomKey& key, uint64_t first, int64_t count, float mean, float deviation,
                float* out) {
  // Elements 2 j and 2 j + 1 are the two numbers of one pair; 1 - u avoids ln 0.
  const uint64_t end = first + static_cast<uint64_t>(count);
  std::array<uint32_t, 4> words{};
  for (uint64_t at = first; at < end;) {
    const uint64_t pair = at / 2;
    if (at == first || pair % 2 == 0) words = philox(key, pair / 2);
    const uint32_t* two = words.data() + pair % 2 * 2;
    const double radius = std::sqrt(-2.0 * std::log(1.0 - scaled(two[0], 0.0f, 1.0f)));
    const double angle = 2.0 * std::numbers::pi * scaled(two[1], 0.0f, 1.0f);
    const std::array<double, 2> numbers = {radius * std::cos(angle), radius * std::sin(angle)};
    for (; at / 2 == pair && at < end; ++at) {
      *out++ = mean + deviation * static_cast<float>(numbers[at % 2]);
    }
  }
}

void fillPermutation(const RandomKey& key, int64_t count, int32_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<int32_t>(i);
  uint64_t word = 0;
  std::array<uint32_t, 4> words{};
  const auto next = [&] {
    if (word % 4 == 0) words = philox(key, word / 4);
    return words[word++ % 4];
  };
  for (int64_t i = count - 1; i > 0; --i) {
    // Lemire's multiplication method: draws below the threshold would be biased.
    const auto bound = static_cast<uint32_t>(i + 1);
    uint64_t product = static_cast<uint64_t>(next()) * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t threshold = (0u - bound) % bound;
      while (static_cast<uint32_t>(product) < threshold) {
        product = static_cast<uint64_t>(next()) * bound;
      }
    }
    std::swap(out[i], out[product >> 32]);
  }
}

}  // namespace polydomain
#endif  // HWY_ONCE
