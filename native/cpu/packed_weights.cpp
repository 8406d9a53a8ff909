#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "packed_weights.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>

#include "gemm.h"
#include "hwy/highway.h"
#include "packed_weights.h"
#include "transpose.h"

// The packed order: one after another, for each block of kGemmBlockDepth inputs the panels of its
// outputs, two vectors wide (the last one may be one), for each input of the block its weights of
// the panel's outputs.
#ifndef POLYDOMAIN_PACKED_LAYER
#define POLYDOMAIN_PACKED_LAYER
namespace polydomain::cpu {
struct PackedLayer {
  const float* weights;
  int64_t out, in;
  const float* bias;  // null: none
  bool relu;
};
}  // namespace polydomain::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVector = hn::Vec<FloatTag>;

int64_t lanesOfPanels() { return static_cast<int64_t>(hn::Lanes(FloatTag())); }

// Panels that a row is multiplied with at once: enough sums to hide how long an addition takes.
constexpr int kPanelsOfRow = 4;
// The same for rows in groups, which share what is loaded.
constexpr int kRowsTogether = 4;
constexpr int kPanelsOfRows = HWY_TARGET <= HWY_AVX3 ? 2 : 1;

// Outputs of `panels` panels, each `vectors` wide, from panel `first` on, of `rows` rows.
template <int rows, int panels, int vectors>
HWY_INLINE void multiplyPanels(const PackedLayer& layer, int64_t first, const float* x, float* y) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr int kSums = panels * vectors;
  const int64_t panelCount = (layer.out + 2 * lanes - 1) / (2 * lanes);
  FloatVector total[rows][kSums];
  HWY_UNROLL(8)
  for (int r = 0; r < rows; ++r) {
    for (int s = 0; s < kSums; ++s) total[r][s] = hn::Zero(d);
  }
  for (int64_t k0 = 0; k0 < layer.in; k0 += kGemmBlockDepth) {
    const int64_t depth = std::min(kGemmBlockDepth, layer.in - k0);
    const float* block = layer.weights + 2 * lanes * (k0 * panelCount + first * depth);
    FloatVector sum[rows][kSums];
    HWY_UNROLL(8)
    for (int r = 0; r < rows; ++r) {
      for (int s = 0; s < kSums; ++s) sum[r][s] = hn::Zero(d);
    }
    for (int64_t i = 0; i < depth; ++i) {
      FloatVector left[rows];
      for (int r = 0; r < rows; ++r) left[r] = hn::Set(d, x[r * layer.in + k0 + i]);
      HWY_UNROLL(8)
      for (int s = 0; s < kSums; ++s) {
        const float* at = block + s / vectors * 2 * lanes * depth + i * vectors * lanes;
        const FloatVector right = hn::Load(d, at + s % vectors * lanes);
        for (int r = 0; r < rows; ++r) sum[r][s] = hn::MulAdd(left[r], right, sum[r][s]);
      }
    }
    HWY_UNROLL(8)
    for (int r = 0; r < rows; ++r) {
      for (int s = 0; s < kSums; ++s) {
        total[r][s] = k0 == 0 ? sum[r][s] : hn::Add(total[r][s], sum[r][s]);
      }
    }
  }
  const int64_t column = first * 2 * lanes;
  const int64_t valid = std::min(kSums * lanes, layer.out - column);
  HWY_ALIGN float edge[kSums * hn::MaxLanes(FloatTag())];
  const float* bias = layer.bias == nullptr ? nullptr : layer.bias + column;
  if (bias != nullptr && valid < kSums * lanes) {
    std::fill(std::copy_n(bias, valid, edge), edge + kSums * lanes, 0.0f);
    bias = edge;
  }
  HWY_UNROLL(8)
  for (int r = 0; r < rows; ++r) {
    for (int s = 0; s < kSums; ++s) {
      FloatVector& one = total[r][s];
      if (bias != nullptr) one = hn::Add(one, hn::LoadU(d, bias + s * lanes));
      // x < 0 ? 0 : x keeps a NaN, which Max would lose.
      if (layer.relu) one = hn::IfThenZeroElse(hn::Lt(one, hn::Zero(d)), one);
    }
  }
  for (int r = 0; r < rows; ++r) {
    float* to = y + r * layer.out + column;
    float* whole = valid < kSums * lanes ? edge : to;
    for (int s = 0; s < kSums; ++s) hn::StoreU(total[r][s], d, whole + s * lanes);
    if (whole == edge) std::copy_n(edge, valid, to);
  }
}

// The panels from `first` on up to `end`, at most `panels`, all of two vectors.
template <int rows, int panels>
HWY_INLINE void multiplyWide(const PackedLayer& layer, int64_t first, int64_t end, const float* x,
                             float* y) {
  for (; first + panels <= end; first += panels) {
    multiplyPanels<rows, panels, 2>(layer, first, x, y);
  }
  if constexpr (panels > 1) multiplyWide<rows, panels - 1>(layer, first, end, x, y);
}

template <int rows, int panels>
HWY_INLINE void multiplyRowsOf(const PackedLayer& layer, const float* x, float* y) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t rest = layer.out % (2 * lanes);
  const bool narrow = rest > 0 && rest <= lanes;
  const int64_t wide = layer.out / (2 * lanes) + (rest > lanes ? 1 : 0);
  multiplyWide<rows, panels>(layer, 0, wide, x, y);
  if (narrow) multiplyPanels<rows, 1, 1>(layer, wide, x, y);
}

void multiplyPacked(const PackedLayer& layer, int64_t rows, const float* x, float* y) {
  int64_t row = 0;
  for (; row + kRowsTogether <= rows; row += kRowsTogether) {
    multiplyRowsOf<kRowsTogether, kPanelsOfRows>(layer, x + row * layer.in, y + row * layer.out);
  }
  for (; row < rows; ++row) {
    multiplyRowsOf<1, kPanelsOfRow>(layer, x + row * layer.in, y + row * layer.out);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(lanesOfPanels);
HWY_EXPORT(multiplyPacked);

PackedWeights::PackedWeights(const float* weights, int64_t out, int64_t in, int64_t stride)
    : out_(out), in_(in) {
  const int64_t lanes = HWY_DYNAMIC_DISPATCH(lanesOfPanels)();
  const int64_t panels = (out + 2 * lanes - 1) / (2 * lanes);
  memory_ = Storage::allocate(static_cast<size_t>(panels * 2 * lanes * in) * sizeof(float));
  auto* packed = static_cast<float*>(memory_->data());
  for (int64_t k0 = 0; k0 < in; k0 += kGemmBlockDepth) {
    const int64_t depth = std::min(kGemmBlockDepth, in - k0);
    for (int64_t panel = 0; panel < panels; ++panel) {
      const int64_t column = panel * 2 * lanes;
      const int64_t valid = std::min(2 * lanes, out - column);
      transposeBlock(weights + column * stride + k0, stride, valid, depth,
                     packed + 2 * lanes * (k0 * panels + panel * depth),
                     valid > lanes ? 2 * lanes : lanes);
    }
  }
}

void PackedWeights::multiply(const float* x, int64_t rows, const float* bias, bool relu,
                             float* y) const {
  const PackedLayer layer{static_cast<const float*>(memory_->data()), out_, in_, bias, relu};
  HWY_DYNAMIC_DISPATCH(multiplyPacked)(layer, rows, x, y);
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
