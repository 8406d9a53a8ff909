#pragma once

#include <cstdint>

#include "polydomain/tensor.h"
#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

enum class Unary : uint8_t {
  kNeg,
  kExp,
  kLog,
  kSqrt,
  kSquare,
  kAbs,
  kRelu,
  kSigmoid,
  kTanh,
  kSoftplus,
  kReciprocal,
  kScale,      // x p
  kAddScalar,  // x + p
  kPower,      // x^p
  kClip        // x brought into [p, q]
};

enum class Binary : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMaximum,
  kMinimum,
  kStep,  // 1 where a > b, 1/2 where a = b, 0 elsewhere
  // Gradients: a is the output's gradient, b the forward output y or, where it says so, input x.
  kReluGradient,
  kSigmoidGradient,
  kTanhGradient,
  kSqrtGradient,
  kReciprocalGradient,
  kSquareGradient,     // x
  kAbsGradient,        // x
  kSoftplusGradient,   // x
  kClipGradient,       // x in [p, q]
  kActivationGradient  // of relu, then dropout: a p where y > 0
};

// The parameters p and q of the functions above.
struct Parameters {
  float p = 0.0f;
  float q = 0.0f;
};

// y[i] = function(x[i]); y may be x.
void unary(ThreadPool& pool, Unary function, Parameters parameters, const float* x, float* y,
           int64_t count);

// c = function(a, b) with NumPy broadcasting into the shape of c, which may be a where a has
// that shape. At most 8 dimensions.
void binary(ThreadPool& pool, Binary function, Parameters parameters, const TensorView& a,
            const TensorView& b, const TensorView& c);

void fill(ThreadPool& pool, float value, float* y, int64_t count);

// A shape merged to alternating runs of dimensions that `part` (broadcast to `whole`) has itself
// and that it repeats over.
struct BroadcastRuns {
  static constexpr size_t kMaxRank = 8;
  struct Run {
    int64_t size;
    bool repeatsA, repeatsB;
  };
  Run runs[kMaxRank];
  size_t count = 0;
};
// `b` may be `whole` itself when only one operand matters.
BroadcastRuns mergeDimensions(const Shape& whole, const Shape& a, const Shape& b);

}  // namespace polydomain::cpu
