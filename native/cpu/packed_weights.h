#pragma once

#include <cstdint>
#include <memory>

#include "polydomain/tensor.h"

namespace polydomain::cpu {

// The weights [out, in] of a linear layer in the order in which a product with few rows reads them:
// from end to end, whole vectors at a time. Where they lie, [out, in] is the transpose of what the
// sums over `in` need, and turning it costs more than the product itself.
class PackedWeights {
 public:
  // A copy of weights whose rows of `in` values are `stride` apart.
  PackedWeights(const float* weights, int64_t out, int64_t in, int64_t stride);

  int64_t out() const { return out_; }
  int64_t bytes() const { return static_cast<int64_t>(memory_->bytes()); }

  // y [rows, out] = x [rows, in] weights' + bias [out] if not null, negative ones 0 with `relu`.
  // Every element has the bits that gemm() gives it.
  void multiply(const float* x, int64_t rows, const float* bias, bool relu, float* y) const;

 private:
  int64_t out_, in_;
  std::shared_ptr<Storage> memory_;
};

}  // namespace polydomain::cpu
