#include "interpolate.h"

#include "sweep.h"

namespace polydomain::cuda {

namespace {

struct LerpOperation {
  const float* rate;
  const float* saved;
  float* table;
  float r = 0.0f;

  template <int W>
  struct Values {
    Vec<W> saved, value;
  };
  POLYDOMAIN_DEVICE void begin() { r = *rate; }
  template <int W>
  POLYDOMAIN_DEVICE Values<W> load(int64_t at, int64_t own) const {
    return {cuda::load<W>(saved + own), cuda::load<W>(table + at)};
  }
  template <int W>
  POLYDOMAIN_DEVICE void store(int64_t at, int64_t, Values<W> x) const {
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < W; ++i) x.value.v[i] = x.saved.v[i] + r * (x.value.v[i] - x.saved.v[i]);
    cuda::store(table + at, x.value);
  }
  bool aligned() const { return aligned16(saved) && aligned16(table); }
};

struct AxpyOperation {
  const float* scale;
  const float* from;
  float* to;
  float s = 0.0f;

  template <int W>
  struct Values {
    Vec<W> from, to;
  };
  POLYDOMAIN_DEVICE void begin() { s = *scale; }
  template <int W>
  POLYDOMAIN_DEVICE Values<W> load(int64_t at, int64_t) const {
    return {cuda::load<W>(from + at), cuda::load<W>(to + at)};
  }
  template <int W>
  POLYDOMAIN_DEVICE void store(int64_t at, int64_t, Values<W> x) const {
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < W; ++i) x.to.v[i] += s * x.from.v[i];
    cuda::store(to + at, x.to);
  }
  bool aligned() const { return aligned16(from) && aligned16(to); }
};

struct ScaleOperation {
  const float* factor;
  float* values;
  float f = 0.0f;

  template <int W>
  using Values = Vec<W>;
  POLYDOMAIN_DEVICE void begin() { f = *factor; }
  template <int W>
  POLYDOMAIN_DEVICE Vec<W> load(int64_t at, int64_t) const {
    return cuda::load<W>(values + at);
  }
  template <int W>
  POLYDOMAIN_DEVICE void store(int64_t at, int64_t, Vec<W> x) const {
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < W; ++i) x.v[i] *= f;
    cuda::store(values + at, x);
  }
  bool aligned() const { return aligned16(values); }
};

}  // namespace

void lerp(Stream* stream, const float* rate, int64_t n, const float* saved, float* values) {
  sweepSlab(*stream, LerpOperation{rate, saved, values}, n);
}

void lerpRows(Stream* stream, const float* rate, PolydomainCudaRows rows, const float* saved,
              float* table) {
  sweepRows(*stream, LerpOperation{rate, saved, table}, rows, rows.dim);
}

void axpy(Stream* stream, const float* scale, int64_t n, const float* from, float* to) {
  sweepSlab(*stream, AxpyOperation{scale, from, to}, n);
}

void scale(Stream* stream, const float* factor, int64_t n, float* values) {
  sweepSlab(*stream, ScaleOperation{factor, values}, n);
}

}  // namespace polydomain::cuda
