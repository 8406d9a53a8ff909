#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "skip_zeros.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <bit>
#include <vector>

#include "chunks.h"
#include "hwy/highway.h"
#include "scratch.h"
#include "skip_zeros.h"
#include "transpose.h"

#ifndef POLYDOMAIN_SKIP_ZEROS_SIZES
#define POLYDOMAIN_SKIP_ZEROS_SIZES
namespace polydomain::cpu {
inline constexpr int kPanelVectors = 8;  // as many chains as multiply-adds are under way at once
inline constexpr int64_t kWordBits = 64;
inline constexpr int64_t kCachedFloats = 8192;  // of a panel: most of a first-level cache

// A [rows, k] and which of its elements are zero, as findZeros leaves it.
struct NonZeros {
  const float* data;
  int64_t rowStride;
  const uint64_t* zeros;
  int64_t words;  // of a row
};

// Columns of a wider matrix.
struct Block {
  float* data;
  int64_t stride;
};
}  // namespace polydomain::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVector = hn::Vec<FloatTag>;

int64_t panelColumns() { return kPanelVectors * static_cast<int64_t>(hn::Lanes(FloatTag())); }

// Bit i of a row's words says whether its element i of k is zero, or none; NaNs are not.
void findZeros(const float* a, int64_t lda, int64_t rows, int64_t k, uint64_t* words) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t wordsOfRow = (k + kWordBits - 1) / kWordBits;
  for (int64_t row = 0; row < rows; ++row, a += lda, words += wordsOfRow) {
    int64_t i = 0;
    words[wordsOfRow - 1] = ~uint64_t{0};
    if (lanes >= 8) {
      auto* bytes = reinterpret_cast<uint8_t*>(words);
      for (; i + lanes <= k; i += lanes) {
        hn::StoreMaskBits(d, hn::Eq(hn::LoadU(d, a + i), hn::Zero(d)), bytes + i / 8);
      }
    } else {
      std::fill_n(words, wordsOfRow, ~uint64_t{0});
    }
    for (; i < k; ++i) {
      if (!(a[i] == 0.0f)) words[i / kWordBits] &= ~(uint64_t{1} << (i % kWordBits));
    }
  }
}

// Sums [rows, `vectors` vectors] = (begin == 0 ? 0 : sums) + A * panel, over the words [begin, end)
// of k. With `c` the result is added to it instead.
template <int vectors>
void multiplyWords(const NonZeros& a, int64_t begin, int64_t end, const float* panel, int64_t rows,
                   Block sums, const Block* c) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t width = vectors * lanes;
  const float* of = a.data;
  const uint64_t* zerosOf = a.zeros;
  const int64_t rowStride = a.rowStride, words = a.words;
  for (int64_t row = 0; row < rows; ++row, of += rowStride, zerosOf += words) {
    const float* from = sums.data + row * sums.stride;
    FloatVector sum[vectors];
    for (int v = 0; v < vectors; ++v) {
      sum[v] = begin == 0 ? hn::Zero(d) : hn::LoadU(d, from + v * lanes);
    }
    for (int64_t word = begin; word < end; ++word) {
      const float* left = of + word * kWordBits;
      const float* right = panel + word * kWordBits * width;
      // In registers: additions of whole numbers take turns with multiply-adds.
      asm("" : "+r"(left), "+r"(right));
      for (uint64_t bits = ~zerosOf[word]; bits != 0; bits &= bits - 1) {
        const int64_t i = std::countr_zero(bits);
        const FloatVector factor = hn::Set(d, left[i]);
        const float* b = right + i * width;
        // One register: by base and index, a multiply-add that loads would be two operations.
        asm("" : "+r"(b));
        for (int v = 0; v < vectors; ++v) {
          sum[v] = hn::MulAdd(factor, hn::LoadU(d, b + v * lanes), sum[v]);
        }
      }
    }
    float* to = sums.data + row * sums.stride;
    if (c != nullptr) {
      to = c->data + row * c->stride;
      for (int v = 0; v < vectors; ++v) sum[v] = hn::Add(hn::LoadU(d, to + v * lanes), sum[v]);
    }
    for (int v = 0; v < vectors; ++v) hn::StoreU(sum[v], d, to + v * lanes);
  }
}

// A panel of `wanted` vectors, as many rows of it at a time as the cache holds.
template <int vectors>
HWY_INLINE void multiplyPanelOf(int64_t wanted, const NonZeros& a, const float* panel, int64_t rows,
                                Block sums, const Block* c) {
  if (vectors == wanted) {
    const int64_t width = vectors * static_cast<int64_t>(hn::Lanes(FloatTag()));
    const int64_t together = std::max<int64_t>(1, kCachedFloats / (width * kWordBits));
    for (int64_t word = 0; word < a.words; word += together) {
      const int64_t end = std::min(a.words, word + together);
      multiplyWords<vectors>(a, word, end, panel, rows, sums, end == a.words ? c : nullptr);
    }
    return;
  }
  if constexpr (vectors > 1) multiplyPanelOf<vectors - 1>(wanted, a, panel, rows, sums, c);
}

void multiplyPanel(const NonZeros& a, const float* panel, int64_t width, int64_t rows, Block sums,
                   const Block* c) {
  multiplyPanelOf<kPanelVectors>(width / static_cast<int64_t>(hn::Lanes(FloatTag())), a, panel,
                                 rows, sums, c);
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(panelColumns);
HWY_EXPORT(findZeros);
HWY_EXPORT(multiplyPanel);

namespace {

// Keeps rows whose length is a power of two from meeting in the same sets of a cache.
constexpr int64_t kApart = 16;

// Kept by every thread, so that a step allocates nothing.
struct Scratch {
  std::vector<uint64_t> zeros;
  std::vector<float> turned, sums;
};

}  // namespace

int64_t skippingPanelColumns() { return HWY_DYNAMIC_DISPATCH(panelColumns)(); }

bool hasManyZeros(const float* a, int64_t rows, int64_t columns, int64_t lda) {
  // A cache line here and there, as one thread looks and the others wait.
  constexpr int64_t kSampledRows = 32, kSampledColumns = 16;
  constexpr double kEnough = 0.4;
  const int64_t step = chunkCount(rows, kSampledRows);
  const int64_t lines = std::max<int64_t>(1, columns / kSampledColumns);
  int64_t zeros = 0, seen = 0;
  for (int64_t row = 0, line = 0; row < rows; row += step, ++line) {
    const int64_t first = line % lines * kSampledColumns;
    const int64_t count = std::min(kSampledColumns, columns - first);
    const float* from = a + row * lda + first;
    for (int64_t i = 0; i < count; ++i) zeros += from[i] == 0.0f ? 1 : 0;
    seen += count;
  }
  return static_cast<double>(zeros) >= kEnough * static_cast<double>(seen);
}

void multiplySkippingZeros(const float* a, int64_t rowStride, int64_t kStride, const float* packed,
                           int64_t rows, int64_t columns, int64_t k, bool first, float* c,
                           int64_t ldc) {
  thread_local Scratch memory;
  if (kStride != 1) {
    const int64_t stride = k + kApart;
    float* turned = atLeast(memory.turned, rows * stride);
    transposeBlock(a, kStride, k, rows, turned, stride);
    a = turned;
    rowStride = stride;
  }
  const int64_t words = chunkCount(k, kWordBits);
  uint64_t* zeros = atLeast(memory.zeros, rows * words);
  HWY_DYNAMIC_DISPATCH(findZeros)(a, rowStride, rows, k, zeros);
  const int64_t widest = skippingPanelColumns();
  const int64_t lanes = widest / kPanelVectors;
  for (int64_t column = 0; column < columns; column += widest) {
    const int64_t valid = std::min(widest, columns - column);
    const int64_t width = chunkCount(valid, lanes) * lanes;
    const Block of{c + column, ldc};
    const bool whole = valid == width;
    const Block sums = first && whole ? of : Block{atLeast(memory.sums, rows * width), width};
    HWY_DYNAMIC_DISPATCH(multiplyPanel)
    ({a, rowStride, zeros, words}, packed + column * k, width, rows, sums,
     !first && whole ? &of : nullptr);
    for (int64_t row = 0; row < rows && !whole; ++row) {
      const float* from = sums.data + row * width;
      float* out = of.data + row * ldc;
      for (int64_t i = 0; i < valid; ++i) out[i] = first ? from[i] : out[i] + from[i];
    }
  }
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
