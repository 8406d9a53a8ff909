#include "loss.h"

#include "block_sum.h"
#include "sigmoid.h"

namespace polydomain::cuda {

namespace {

struct BceTerm {
  const float* logits;
  const float* labels;
  const float* weights;
  template <int W>
  POLYDOMAIN_DEVICE double sum(int64_t at) const {
    const Vec<W> z = load<W>(logits + at), y = load<W>(labels + at);
    Vec<W> weight{};
    if (weights != nullptr) weight = load<W>(weights + at);
    double total = 0.0;
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < W; ++i) {
      const float positive = z.v[i] > 0.0f ? z.v[i] : 0.0f;
      float loss = std::fma(-z.v[i], y.v[i], positive) + std::log1p(std::exp(-std::abs(z.v[i])));
      if (weights != nullptr) loss *= weight.v[i];
      total += static_cast<double>(loss);
    }
    return total;
  }
  bool aligned() const { return aligned16(logits) && aligned16(labels) && aligned16(weights); }
};

struct BceGradientOperation {
  const float* logits;
  const float* labels;
  const float* weights;
  const float* gradient;
  double rows;
  float* out;
  float scale = 0.0f;

  template <int W>
  struct Values {
    Vec<W> z, y, weight;
  };
  POLYDOMAIN_DEVICE void begin() {
    scale = static_cast<float>(static_cast<double>(*gradient) / rows);
  }
  template <int W>
  POLYDOMAIN_DEVICE Values<W> load(int64_t at, int64_t) const {
    Values<W> x{};
    x.z = cuda::load<W>(logits + at);
    x.y = cuda::load<W>(labels + at);
    if (weights != nullptr) x.weight = cuda::load<W>(weights + at);
    return x;
  }
  template <int W>
  POLYDOMAIN_DEVICE void store(int64_t at, int64_t, const Values<W>& x) const {
    Vec<W> own;
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < W; ++i) {
      own.v[i] = (sigmoidOf(x.z.v[i]) - x.y.v[i]) * scale;
      if (weights != nullptr) own.v[i] *= x.weight.v[i];
    }
    cuda::store(out + at, own);
  }
  bool aligned() const {
    return aligned16(logits) && aligned16(labels) && aligned16(weights) && aligned16(out);
  }
};

}  // namespace

void bceWithLogits(Stream* stream, int64_t rows, const float* logits, const float* labels,
                   const float* weights, float* out) {
  sumTerms(*stream, BceTerm{logits, labels, weights}, rows, static_cast<double>(rows), out);
}

void bceWithLogitsGradient(Stream* stream, int64_t rows, const float* logits, const float* labels,
                           const float* weights, const float* gradient, float* out) {
  sweepSlab(*stream,
            BceGradientOperation{logits, labels, weights, gradient, static_cast<double>(rows), out},
            rows);
}

}  // namespace polydomain::cuda
