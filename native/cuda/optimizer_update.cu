#include "optimizer_update.h"

#include "polydomain/error.h"
#include "sweep.h"

namespace polydomain::cuda {

namespace {

// A weight, its gradient and state; a rule changes w, s0 and s1.
struct Weight {
  float w, g, s0, s1;
};

struct SgdRule {
  static constexpr int kStates = 0;
  static POLYDOMAIN_DEVICE void apply(const PolydomainCudaScalars& s, Weight& x) {
    x.w = std::fma(-s.learningRate, x.g, x.w);
  }
};

struct MomentumRule {
  static constexpr int kStates = 1;
  static POLYDOMAIN_DEVICE void apply(const PolydomainCudaScalars& s, Weight& x) {
    x.s0 = std::fma(s.momentum, x.s0, x.g);
    const float step = s.nesterov != 0 ? std::fma(s.momentum, x.s0, x.g) : x.s0;
    x.w = std::fma(-s.learningRate, step, x.w);
  }
};

// The slab holds the sum without its start.
struct AdagradRule {
  static constexpr int kStates = 1;
  static POLYDOMAIN_DEVICE void apply(const PolydomainCudaScalars& s, Weight& x) {
    x.s0 = std::fma(x.g, x.g, x.s0);
    const float root = std::sqrt(x.s0 + s.initialAccumulator);
    x.w -= s.learningRate * x.g / (root + s.epsilon);
  }
};

template <bool kDecoupled>
struct AdamRule {
  static constexpr int kStates = 2;
  static POLYDOMAIN_DEVICE void apply(const PolydomainCudaScalars& s, Weight& x) {
    if (kDecoupled) x.w *= 1.0f - s.learningRate * s.weightDecay;
    x.s0 = std::fma(1.0f - s.beta1, x.g - x.s0, x.s0);
    x.s1 = std::fma(1.0f - s.beta2, x.g * x.g, s.beta2 * x.s1);
    const float root = std::sqrt(x.s1) / s.biasCorrection2Sqrt;
    x.w -= s.stepSize * x.s0 / (root + s.epsilon);
  }
};

template <class Rule>
struct UpdateOperation {
  const PolydomainCudaScalars* scalars;
  bool decoupled;
  float* table;
  const float* gradient;
  float* state0;
  float* state1;
  PolydomainCudaScalars s{};
  float decay = 0.0f;

  template <int W>
  struct Values {
    Vec<W> w, g, s0, s1;
  };
  POLYDOMAIN_DEVICE void begin() {
    s = *scalars;
    // Gradient of l2 |w|^2, and of weightDecay / 2 |w|^2.
    decay = 2.0f * s.l2 + (decoupled ? 0.0f : s.weightDecay);
  }
  template <int W>
  POLYDOMAIN_DEVICE Values<W> load(int64_t at, int64_t own) const {
    Values<W> x{};
    x.w = cuda::load<W>(table + at);
    x.g = cuda::load<W>(gradient + own);
    if (Rule::kStates > 0) x.s0 = cuda::load<W>(state0 + at);
    if (Rule::kStates > 1) x.s1 = cuda::load<W>(state1 + at);
    return x;
  }
  template <int W>
  POLYDOMAIN_DEVICE void store(int64_t at, int64_t, Values<W> x) const {
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < W; ++i) {
      Weight one{x.w.v[i], x.g.v[i], 0.0f, 0.0f};
      if (Rule::kStates > 0) one.s0 = x.s0.v[i];
      if (Rule::kStates > 1) one.s1 = x.s1.v[i];
      if (decay != 0.0f) one.g = std::fma(decay, one.w, one.g);
      Rule::apply(s, one);
      x.w.v[i] = one.w;
      if (Rule::kStates > 0) x.s0.v[i] = one.s0;
      if (Rule::kStates > 1) x.s1.v[i] = one.s1;
    }
    cuda::store(table + at, x.w);
    if (Rule::kStates > 0) cuda::store(state0 + at, x.s0);
    if (Rule::kStates > 1) cuda::store(state1 + at, x.s1);
  }
  bool aligned() const {
    return aligned16(table) && aligned16(gradient) && aligned16(state0) && aligned16(state1);
  }
};

// Calls body with the optimizer's operation.
template <class Body>
void withOperation(int32_t kind, const PolydomainCudaScalars* scalars, float* w, const float* g,
                   float* state0, float* state1, const Body& body) {
  const auto call = [&]<class Rule>(bool decoupled) {
    body(UpdateOperation<Rule>{scalars, decoupled, w, g, state0, state1});
  };
  switch (kind) {
    case POLYDOMAIN_CUDA_SGD:
      if (state0 == nullptr) return call.template operator()<SgdRule>(false);
      return call.template operator()<MomentumRule>(false);
    case POLYDOMAIN_CUDA_ADAGRAD:
      return call.template operator()<AdagradRule>(false);
    case POLYDOMAIN_CUDA_ADAM:
      return call.template operator()<AdamRule<false>>(false);
    case POLYDOMAIN_CUDA_ADAMW:
      return call.template operator()<AdamRule<true>>(true);
  }
  throw Error(ErrorKind::kDevice, "optimizer " + std::to_string(kind) + "; expected 0 to 3");
}

}  // namespace

void updateWeights(Stream* stream, int32_t kind, const PolydomainCudaScalars* scalars, int64_t n,
                   float* w, const float* g, float* state0, float* state1) {
  withOperation(kind, scalars, w, g, state0, state1,
                [&](const auto& operation) { sweepSlab(*stream, operation, n); });
}

void updateRows(Stream* stream, int32_t kind, const PolydomainCudaScalars* scalars,
                PolydomainCudaRows rows, float* table, const float* g, float* state0,
                float* state1) {
  withOperation(kind, scalars, table, g, state0, state1,
                [&](const auto& operation) { sweepRows(*stream, operation, rows, rows.dim); });
}

}  // namespace polydomain::cuda
