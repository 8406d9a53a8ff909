#include "dropout.h"

#include "dropout_mask.h"
#include "sweep.h"

namespace polydomain::cuda {

namespace {

struct DropoutOperation {
  DropoutMask mask;
  const float* x;
  float* y;

  template <int W>
  using Values = Vec<W>;
  POLYDOMAIN_DEVICE void begin() { mask.begin(); }
  template <int W>
  POLYDOMAIN_DEVICE Vec<W> load(int64_t at, int64_t) const {
    return cuda::load<W>(x + at);
  }
  template <int W>
  POLYDOMAIN_DEVICE void store(int64_t at, int64_t, Vec<W> values) const {
    mask.apply<W>(static_cast<uint64_t>(at), values.v);
    cuda::store(y + at, values);
  }
  bool aligned() const { return aligned16(x) && aligned16(y); }
};

}  // namespace

void dropout(Stream* stream, PolydomainCudaRandom random, float keep, int64_t n, const float* x,
             float* y) {
  sweepSlab(*stream, DropoutOperation{{random, keep}, x, y}, n);
}

}  // namespace polydomain::cuda
