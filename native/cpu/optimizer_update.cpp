#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optimizer_update.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "optimizer_update.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

using FloatTag = hn::ScalableTag<float>;
using FloatVector = hn::Vec<FloatTag>;

// Weights, gradient and state of some lanes; a rule changes w, s0 and s1.
struct Lanes {
  FloatVector w, g, s0, s1;
};

HWY_INLINE FloatVector set(float value) { return hn::Set(FloatTag(), value); }

// PyTorch's SGD: buffer = momentum buffer + g, and g + momentum buffer for Nesterov's form.
struct SgdRule {
  const UpdateScalars& s;
  bool momentum;
  HWY_INLINE void operator()(Lanes& x) const {
    FloatVector step = x.g;
    if (momentum) {
      x.s0 = hn::MulAdd(set(s.momentum), x.s0, x.g);
      step = s.nesterov ? hn::MulAdd(set(s.momentum), x.s0, x.g) : x.s0;
    }
    x.w = hn::NegMulAdd(set(s.learningRate), step, x.w);
  }
};

// Duchi et al. 2011. The slab holds the sum without its start, so that it begins as zero pages.
struct AdagradRule {
  const UpdateScalars& s;
  float start;
  HWY_INLINE void operator()(Lanes& x) const {
    x.s0 = hn::MulAdd(x.g, x.g, x.s0);
    const FloatVector root = hn::Sqrt(hn::Add(x.s0, set(start)));
    const FloatVector step =
        hn::Div(hn::Mul(set(s.learningRate), x.g), hn::Add(root, set(s.epsilon)));
    x.w = hn::Sub(x.w, step);
  }
};

// Kingma and Ba 2015; AdamW: Loshchilov and Hutter 2019.
struct AdamRule {
  const UpdateScalars& s;
  bool decoupled;
  HWY_INLINE void operator()(Lanes& x) const {
    if (decoupled) x.w = hn::Mul(x.w, set(1.0f - s.learningRate * s.weightDecay));
    x.s0 = hn::MulAdd(set(1.0f - s.beta1), hn::Sub(x.g, x.s0), x.s0);
    x.s1 = hn::MulAdd(set(1.0f - s.beta2), hn::Mul(x.g, x.g), hn::Mul(set(s.beta2), x.s1));
    FloatVector root = hn::Sqrt(x.s1);
    if (s.biasCorrection2Sqrt != 1.0f) root = hn::Div(root, set(s.biasCorrection2Sqrt));
    const FloatVector step = hn::Div(hn::Mul(set(s.stepSize), x.s0), hn::Add(root, set(s.epsilon)));
    x.w = hn::Sub(x.w, step);
  }
};

template <class Rule>
HWY_INLINE void sweep(const Rule& rule, float decay, int64_t n, float* w, const float* g,
                      float* state0, float* state1) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto zero = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    Lanes x{hn::LoadU(d, w + i), hn::LoadU(d, g + i),
            state0 == nullptr ? zero : hn::LoadU(d, state0 + i),
            state1 == nullptr ? zero : hn::LoadU(d, state1 + i)};
    if (decay != 0.0f) x.g = hn::MulAdd(set(decay), x.w, x.g);
    rule(x);
    hn::StoreU(x.w, d, w + i);
    if (state0 != nullptr) hn::StoreU(x.s0, d, state0 + i);
    if (state1 != nullptr) hn::StoreU(x.s1, d, state1 + i);
  }
  if (i == n) return;
  const int64_t left = n - i;
  Lanes x{loadTail(d, w + i, left), loadTail(d, g + i, left),
          state0 == nullptr ? zero : loadTail(d, state0 + i, left),
          state1 == nullptr ? zero : loadTail(d, state1 + i, left)};
  if (decay != 0.0f) x.g = hn::MulAdd(set(decay), x.w, x.g);
  rule(x);
  storeTail(d, x.w, w + i, left);
  if (state0 != nullptr) storeTail(d, x.s0, state0 + i, left);
  if (state1 != nullptr) storeTail(d, x.s1, state1 + i, left);
}

// Calls body with the spec's rule and the factor of w in its gradient.
template <class Body>
HWY_INLINE void withRule(const OptimizerSpec& spec, const UpdateScalars& scalars, bool momentum,
                         const Body& body) {
  const bool decoupled = spec.kind == OptimizerKind::kAdamW;
  // Gradient of l2 |w|^2, and of weightDecay / 2 |w|^2.
  const float decay = 2.0f * scalars.l2 + (decoupled ? 0.0f : scalars.weightDecay);
  switch (spec.kind) {
    case OptimizerKind::kSgd:
      return body(SgdRule{scalars, momentum}, decay);
    case OptimizerKind::kAdagrad:
      return body(AdagradRule{scalars, spec.initialAccumulator}, decay);
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
      return body(AdamRule{scalars, decoupled}, decay);
  }
}

void update(const OptimizerSpec& spec, const UpdateScalars& scalars, int64_t n, float* w,
            const float* g, float* state0, float* state1) {
  withRule(spec, scalars, state0 != nullptr, [&](const auto& rule, float decay) HWY_ATTR {
    sweep(rule, decay, n, w, g, state0, state1);
  });
}

// Asks for a row of a large table, which misses every cache, to be written.
HWY_INLINE void prefetchRow(const float* row, int64_t dim) {
  constexpr int64_t kLineElements = 16;
  for (int64_t c = 0; c < dim; c += kLineElements) __builtin_prefetch(row + c, 1);
}

void updateTableRows(const OptimizerSpec& spec, const UpdateScalars& scalars, const int32_t* ids,
                     int64_t count, int64_t dim, float* table, const float* g, float* state0,
                     float* state1) {
  constexpr int64_t kAhead = 8;  // rows
  const auto stateAt = [](float* state, int64_t offset) {
    return state == nullptr ? state : state + offset;
  };
  withRule(spec, scalars, state0 != nullptr, [&](const auto& rule, float decay) HWY_ATTR {
    for (int64_t i = 0; i < count; ++i) {
      if (i + kAhead < count) {
        const int64_t later = ids[i + kAhead] * dim;
        prefetchRow(table + later, dim);
        if (state0 != nullptr) prefetchRow(state0 + later, dim);
        if (state1 != nullptr) prefetchRow(state1 + later, dim);
      }
      const int64_t offset = ids[i] * dim;
      sweep(rule, decay, dim, table + offset, g + i * dim, stateAt(state0, offset),
            stateAt(state1, offset));
    }
  });
}

HWY_INLINE void moveByMomentum(const MomentumSteps& steps, FloatVector& w, FloatVector& m,
                               FloatVector& v) {
  const FloatVector root = hn::Sqrt(v);
  FloatVector sum = hn::Zero(FloatTag());
  for (size_t k = 0; k < steps.weights.size(); ++k) {
    sum = hn::Add(sum, hn::Div(set(steps.weights[k]), hn::Add(root, set(steps.offsets[k]))));
  }
  w = hn::NegMulAdd(m, sum, w);
  m = hn::Mul(m, set(steps.firstDecay));
  v = hn::Mul(v, set(steps.secondDecay));
}

void byMomentum(const MomentumSteps& steps, int64_t n, float* w, float* m, float* v) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    FloatVector x = hn::LoadU(d, w + i), first = hn::LoadU(d, m + i), second = hn::LoadU(d, v + i);
    moveByMomentum(steps, x, first, second);
    hn::StoreU(x, d, w + i);
    hn::StoreU(first, d, m + i);
    hn::StoreU(second, d, v + i);
  }
  if (i == n) return;
  const int64_t left = n - i;
  FloatVector x = loadTail(d, w + i, left), first = loadTail(d, m + i, left),
              second = loadTail(d, v + i, left);
  moveByMomentum(steps, x, first, second);
  storeTail(d, x, w + i, left);
  storeTail(d, first, m + i, left);
  storeTail(d, second, v + i, left);
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(update);
HWY_EXPORT(updateTableRows);
HWY_EXPORT(byMomentum);

void updateWeights(const OptimizerSpec& spec, const UpdateScalars& scalars, int64_t n, float* w,
                   const float* g, float* state0, float* state1) {
  HWY_DYNAMIC_DISPATCH(update)(spec, scalars, n, w, g, state0, state1);
}

void updateRows(const OptimizerSpec& spec, const UpdateScalars& scalars,
                std::span<const int32_t> ids, int64_t dim, float* table, const float* g,
                float* state0, float* state1) {
  HWY_DYNAMIC_DISPATCH(updateTableRows)
  (spec, scalars, ids.data(), static_cast<int64_t>(ids.size()), dim, table, g, state0, state1);
}

void updateByMomentum(const MomentumSteps& steps, int64_t n, float* w, float* m, float* v) {
  HWY_DYNAMIC_DISPATCH(byMomentum)(steps, n, w, m, v);
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
