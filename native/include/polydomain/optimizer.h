#pragma once

#include <cstdint>

#include "polydomain/schedule.h"

namespace polydomain {

enum class OptimizerKind : uint8_t { kSgd, kAdagrad, kAdam, kAdamW };
enum class EpsilonForm : uint8_t {
  kTorch,  // lr * mHat / (sqrt(vHat) + epsilon); of tables as SparseAdam does, which is kTf1
  kTf1     // lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)
};

enum class RowSteps : uint8_t {
  kLazy,  // a table's row changes in the steps that have a gradient of it
  kDense  // of Adam: in every step, with a zero gradient in the others, as a dense tensor's rows
          // do; slots of banks stay lazy
};

struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::kAdam;
  float learningRate = 1e-3f;
  float momentum = 0.0f;  // SGD, PyTorch's form: buffer = momentum * buffer + g (no dampening)
  bool nesterov = false;
  float beta1 = 0.9f, beta2 = 0.999f;
  float epsilon = 1e-8f;  // Adagrad: 1e-10 in PyTorch
  EpsilonForm epsilonForm = EpsilonForm::kTorch;
  float weightDecay = 0.0f;         // coupled L2 (g += weightDecay * w); AdamW: decoupled
  float initialAccumulator = 0.0f;  // Adagrad
  Schedule schedule;                // of learningRate, over the optimizer's steps
  RowSteps rows = RowSteps::kLazy;  // kDense: no weight decay, and beta1^2 < beta2
  // Number of state values per weight: SGD 0 or 1 (momentum), Adagrad 1, Adam 2.
  int stateCount() const;
};

// What one update needs besides the row: derived once per step from the spec and the 1-based step.
struct UpdateScalars {
  float learningRate, weightDecay, l2;  // l2: the parameter's own regulariser, g += 2 * l2 * w
  float momentum;
  bool nesterov;
  float beta1, beta2, epsilon;
  float stepSize, biasCorrection2Sqrt;  // Adam: see optimizer.cpp
  bool operator==(const UpdateScalars&) const = default;
};

}  // namespace polydomain
