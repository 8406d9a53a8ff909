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

// All is left to the caller.
int64_t bitsOfBlocks(uint64_t, uint64_t, uint64_t, int64_t, uint32_t*) { return 0; }
int64_t uniformsOfBlocks(uint64_t, uint64_t, uint64_t, int64_t, float, float, float*) { return 0; }

#else

using Words = hn::ScalableTag<uint32_t>;

// store(words, element) for all elements of `vectors` vectors of blocks from `first` on, a vector
// of them at a time. A block has a lane of 64 bits in which each of its words is the lower half:
// the product of the next round leaves out what stands in the upper one.
template <int vectors, class Store>
HWY_INLINE void draw(uint64_t key, uint64_t step, uint64_t first, const Store& store) {
  const Words words;
  const hn::RepartitionToWide<Words> d;
  using Lanes = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto times = [&](Lanes x, uint32_t factor) HWY_ATTR {
    return hn::MulEven(hn::BitCast(words, x), hn::Set(words, factor));
  };
  // Even lanes have the first half of the blocks, as interleaving takes these apart.
  const Lanes half = hn::ShiftRight<1>(hn::Iota(d, 0));
  const Lanes place =
      hn::OddEven(hn::Add(half, hn::Set(d, static_cast<uint64_t>(lanes / 2))), half);
  Lanes x0[vectors], x1[vectors], x2[vectors], x3[vectors];
  for (int v = 0; v < vectors; ++v) {
    x0[v] = hn::Add(place, hn::Set(d, first + static_cast<uint64_t>(v * lanes)));
    x1[v] = hn::ShiftRight<32>(x0[v]);
    x2[v] = hn::Set(d, step);
    x3[v] = hn::Set(d, step >> 32);
  }
  auto key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const Lanes k0 = hn::Set(d, uint64_t{key0}), k1 = hn::Set(d, uint64_t{key1});
    for (int v = 0; v < vectors; ++v) {
      const Lanes p0 = times(x0[v], kMultiplier0), p1 = times(x2[v], kMultiplier1);
      x0[v] = hn::Xor3(hn::ShiftRight<32>(p1), x1[v], k0);
      x2[v] = hn::Xor3(hn::ShiftRight<32>(p0), x3[v], k1);
      x1[v] = p1;
      x3[v] = p0;
    }
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  const auto pair = [&](Lanes even, Lanes odd) HWY_ATTR {
    return hn::BitCast(
        d, hn::OddEven(hn::BitCast(words, hn::ShiftLeft<32>(odd)), hn::BitCast(words, even)));
  };
  for (int v = 0; v < vectors; ++v) {
    const Lanes lower = pair(x0[v], x1[v]), upper = pair(x2[v], x3[v]);
    store(hn::BitCast(words, hn::InterleaveLower(d, lower, upper)), 4 * v * lanes);
    store(hn::BitCast(words, hn::InterleaveUpper(d, lower, upper)), (4 * v + 2) * lanes);
  }
}

// The same for as many of `blocks` blocks as make whole vectors; returns these.
template <class Store>
HWY_INLINE int64_t drawBlocks(uint64_t key, uint64_t step, uint64_t first, int64_t blocks,
                              const Store& store) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<uint64_t>()));
  int64_t done = 0;
  const auto at = [&](auto words, int64_t element) HWY_ATTR { store(words, 4 * done + element); };
  // Two vectors at once, as every product waits for the one before.
  for (; done + 2 * lanes <= blocks; done += 2 * lanes) {
    draw<2>(key, step, first + static_cast<uint64_t>(done), at);
  }
  for (; done + lanes <= blocks; done += lanes) {
    draw<1>(key, step, first + static_cast<uint64_t>(done), at);
  }
  return done;
}

int64_t bitsOfBlocks(uint64_t key, uint64_t step, uint64_t first, int64_t blocks, uint32_t* out) {
  const Words d;
  return drawBlocks(key, step, first, blocks, [&](hn::Vec<Words> words, int64_t element) HWY_ATTR {
    hn::StoreU(words, d, out + element);
  });
}

// low + (high - low) * uniforms.
int64_t uniformsOfBlocks(uint64_t key, uint64_t step, uint64_t first, int64_t blocks, float low,
                         float high, float* out) {
  const hn::RebindToFloat<Words> d;
  const hn::RebindToSigned<Words> di;
  const auto range = hn::Set(d, high - low), offset = hn::Set(d, low);
  return drawBlocks(key, step, first, blocks, [&](hn::Vec<Words> words, int64_t element) HWY_ATTR {
    const auto number = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<8>(words)));
    const auto uniform = hn::Mul(number, hn::Set(d, kTwoToMinus24));
    hn::StoreU(hn::Add(offset, hn::Mul(range, uniform)), d, out + element);
  });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace polydomain
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain {

HWY_EXPORT(bitsOfBlocks);
HWY_EXPORT(uniformsOfBlocks);

namespace {

// splitmix64's finaliser: spreads a stream's hash over the key.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// Elements [first, first + count) of a sequence: blocks(first block, count of blocks, place) makes
// as many whole blocks as it can, one(word) what is left.
template <class Value, class Blocks, class One>
void fill(const RandomKey& key, uint64_t first, int64_t count, Value* out, const Blocks& blocks,
          const One& one) {
  int64_t i = 0;
  while (i < count) {
    const uint64_t index = first + static_cast<uint64_t>(i);
    if (index % 4 == 0) {
      i += 4 * blocks(index / 4, (count - i) / 4, out + i);
      if (i == count) return;
    }
    const uint64_t at = first + static_cast<uint64_t>(i);
    const std::array<uint32_t, 4> words = philox(key, at / 4);
    for (uint64_t w = at % 4; w < 4 && i < count; ++w) out[i++] = one(words[w]);
  }
}

}  // namespace

uint64_t philoxKey(const RandomKey& key) { return key.seed ^ mix(key.stream); }

std::array<uint32_t, 4> philox(const RandomKey& key, uint64_t block) {
  const uint64_t mixed = philoxKey(key);
  return std::to_array(
      philoxBlock(static_cast<uint32_t>(mixed), static_cast<uint32_t>(mixed >> 32), key.step, block)
          .word);
}

float uniformAt(const RandomKey& key, uint64_t index) {
  return uniformOf(philox(key, index / 4)[index % 4]);
}

void fillUniform(const RandomKey& key, uint64_t first, int64_t count, float low, float high,
                 float* out) {
  const uint64_t mixed = philoxKey(key);
  fill(
      key, first, count, out,
      [&](uint64_t block, int64_t blocks, float* to) {
        return HWY_DYNAMIC_DISPATCH(uniformsOfBlocks)(mixed, key.step, block, blocks, low, high,
                                                      to);
      },
      [&](uint32_t word) { return low + (high - low) * uniformOf(word); });
}

void fillBits(const RandomKey& key, uint64_t first, int64_t count, uint32_t* out) {
  const uint64_t mixed = philoxKey(key);
  fill(
      key, first, count, out,
      [&](uint64_t block, int64_t blocks, uint32_t* to) {
        return HWY_DYNAMIC_DISPATCH(bitsOfBlocks)(mixed, key.step, block, blocks, to);
      },
      [](uint32_t word) { return word; });
}

uint32_t bitsBelow(float limit) {
  return static_cast<uint32_t>(std::ceil(std::ldexp(limit, 24))) << 8;
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
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniformOf(two[0])));
    const double angle = 2.0 * std::numbers::pi * uniformOf(two[1]);
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
