#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "skip_zeros.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <bit>
#include <vector>

#include "chunks.h"
#include "skip_zeros.h"
#include "transpose-inl.h"

#ifndef POLYDOMAIN_SKIP_ZEROS_SIZES
#define POLYDOMAIN_SKIP_ZEROS_SIZES
namespace polydomain::cpu {
inline constexpr int kPanelVectors = 8;  // as many chains as multiply-adds are under way at once
inline constexpr int64_t kWordBits = 64;
inline constexpr int64_t kCachedFloats = 8192;  // of a panel: most of a first-level cache
}  // namespace polydomain::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

using FloatTag = hn::ScalableTag<float>;
using FloatVector = hn::Vec<FloatTag>;

int64_t panelColumns() { return kPanelVectors * static_cast<int64_t>(hn::Lanes(FloatTag())); }

// Bit i of a row's words says whether its element i of k is not zero; NaNs are not.
void findNonZeros(const float* a, int64_t lda, int64_t rows, int64_t k, uint64_t* words) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t wordsOfRow = (k + kWordBits - 1) / kWordBits;
  for (int64_t row = 0; row < rows; ++row, a += lda, words += wordsOfRow) {
    int64_t i = 0;
    words[wordsOfRow - 1] = 0;
    if (lanes >= 8) {
      auto* bytes = reinterpret_cast<uint8_t*>(words);
      for (; i + lanes <= k; i += lanes) {
        hn::StoreMaskBits(d, hn::Not(hn::Eq(hn::LoadU(d, a + i), hn::Zero(d))), bytes + i / 8);
      }
    } else {
      std::fill_n(words, wordsOfRow, 0);
    }
    for (; i < k; ++i) words[i / kWordBits] |= uint64_t{!(a[i] == 0.0f)} << (i % kWordBits);
  }
}

// y [columns, rows] = transpose of x [rows, columns].
void turn(const float* x, int64_t ldx, int64_t rows, int64_t columns, float* y) {
  int64_t done = 0;
#if HWY_TARGET != HWY_SCALAR
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; done + lanes <= rows; done += lanes) {
    int64_t column = 0;
    for (; column + 4 <= columns; column += 4) {
      const auto four = fourColumns(d, x + done * ldx + column, ldx);
      for (int j = 0; j < 4; ++j) hn::StoreU(four.of[j], d, y + (column + j) * rows + done);
    }
    for (; column < columns; ++column) {
      for (int64_t r = done; r < done + lanes; ++r) y[column * rows + r] = x[r * ldx + column];
    }
  }
#endif
  for (; done < rows; ++done) {
    for (int64_t column = 0; column < columns; ++column) {
      y[column * rows + done] = x[done * ldx + column];
    }
  }
}

// C [rows, `vectors` vectors] = (begin == 0 ? 0 : C) + A * panel, over the words [begin, end) of k.
template <int vectors>
void multiplyWords(const float* a, int64_t lda, const uint64_t* nonZero, int64_t words,
                   int64_t begin, int64_t end, const float* panel, int64_t rows, float* c,
                   int64_t ldc) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t width = vectors * lanes;
  for (int64_t row = 0; row < rows; ++row, a += lda, nonZero += words, c += ldc) {
    FloatVector sum[vectors];
    for (int v = 0; v < vectors; ++v)
      sum[v] = begin == 0 ? hn::Zero(d) : hn::LoadU(d, c + v * lanes);
    for (int64_t word = begin; word < end; ++word) {
      const float* left = a + word * kWordBits;
      const float* right = panel + word * kWordBits * width;
      for (uint64_t bits = nonZero[word]; bits != 0; bits &= bits - 1) {
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
    for (int v = 0; v < vectors; ++v) hn::StoreU(sum[v], d, c + v * lanes);
  }
}

// A panel of `wanted` vectors, as many rows of it at a time as the cache holds.
template <int vectors>
HWY_INLINE void multiplyPanelOf(int64_t wanted, const float* a, int64_t lda,
                                const uint64_t* nonZero, int64_t words, const float* panel,
                                int64_t rows, float* c, int64_t ldc) {
  if (vectors == wanted) {
    const int64_t width = vectors * static_cast<int64_t>(hn::Lanes(FloatTag()));
    const int64_t together = std::max<int64_t>(1, kCachedFloats / (width * kWordBits));
    for (int64_t word = 0; word < words; word += together) {
      multiplyWords<vectors>(a, lda, nonZero, words, word, std::min(words, word + together), panel,
                             rows, c, ldc);
    }
    return;
  }
  if constexpr (vectors > 1) {
    multiplyPanelOf<vectors - 1>(wanted, a, lda, nonZero, words, panel, rows, c, ldc);
  }
}

void multiplyPanel(const float* a, int64_t lda, const uint64_t* nonZero, int64_t words,
                   const float* panel, int64_t width, int64_t rows, float* c, int64_t ldc) {
  multiplyPanelOf<kPanelVectors>(width / static_cast<int64_t>(hn::Lanes(FloatTag())), a, lda,
                                 nonZero, words, panel, rows, c, ldc);
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(panelColumns);
HWY_EXPORT(findNonZeros);
HWY_EXPORT(turn);
HWY_EXPORT(multiplyPanel);

int64_t skippingPanelColumns() { return HWY_DYNAMIC_DISPATCH(panelColumns)(); }

bool hasManyZeros(const float* a, int64_t rows, int64_t columns, int64_t lda) {
  constexpr int64_t kSampledRows = 16;
  constexpr double kEnough = 0.4;
  const int64_t step = chunkCount(rows, kSampledRows);
  int64_t zeros = 0, seen = 0;
  for (int64_t row = 0; row < rows; row += step, seen += columns) {
    zeros += std::count(a + row * lda, a + row * lda + columns, 0.0f);
  }
  return static_cast<double>(zeros) >= kEnough * static_cast<double>(seen);
}

void multiplySkippingZeros(const float* a, int64_t rowStride, int64_t kStride, const float* packed,
                           int64_t rows, int64_t columns, int64_t k, bool first, float* c,
                           int64_t ldc) {
  thread_local std::vector<uint64_t> nonZero;
  thread_local std::vector<float> turned, sums;
  if (kStride != 1) {
    turned.resize(static_cast<size_t>(rows * k));
    HWY_DYNAMIC_DISPATCH(turn)(a, kStride, k, rows, turned.data());
    a = turned.data();
    rowStride = k;
  }
  const int64_t words = chunkCount(k, kWordBits);
  nonZero.resize(static_cast<size_t>(rows * words));
  HWY_DYNAMIC_DISPATCH(findNonZeros)(a, rowStride, rows, k, nonZero.data());
  const int64_t widest = skippingPanelColumns();
  const int64_t lanes = widest / kPanelVectors;
  for (int64_t column = 0; column < columns; column += widest) {
    const int64_t valid = std::min(widest, columns - column);
    const int64_t width = chunkCount(valid, lanes) * lanes;
    const bool inPlace = first && valid == width;
    if (!inPlace) sums.resize(static_cast<size_t>(rows * width));
    float* to = inPlace ? c + column : sums.data();
    HWY_DYNAMIC_DISPATCH(multiplyPanel)
    (a, rowStride, nonZero.data(), words, packed + column * k, width, rows, to,
     inPlace ? ldc : width);
    for (int64_t row = 0; row < rows && !inPlace; ++row) {
      const float* from = sums.data() + row * width;
      float* out = c + row * ldc + column;
      for (int64_t i = 0; i < valid; ++i) out[i] = first ? from[i] : out[i] + from[i];
    }
  }
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
