#include "softmax.h"

#include "grid.h"

namespace polydomain::cuda {

namespace {

// A thread takes a row: gates have a few columns.
struct SoftmaxKernel {
  static constexpr int kThreads = 128;
  bool logarithm;
  int64_t rows, width;
  const float* x;
  float* y;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    const int64_t row = thread.block * kThreads + thread.index;
    if (row >= rows) return;
    const float* from = x + row * width;
    float* to = y + row * width;
    float most = from[0];
    for (int64_t i = 1; i < width; ++i) most = from[i] > most ? from[i] : most;
    float sum = 0.0f;
    for (int64_t i = 0; i < width; ++i) sum += std::exp(from[i] - most);
    const float logSum = std::log(sum);
    for (int64_t i = 0; i < width; ++i) {
      // Two steps: the row's maximum and ln(sum) may differ by orders of magnitude.
      const float shifted = from[i] - most;
      to[i] = logarithm ? shifted - logSum : std::exp(shifted) / sum;
    }
  }
};

struct SoftmaxGradientKernel {
  static constexpr int kThreads = 128;
  bool logarithm;
  int64_t rows, width;
  const float* gradient;
  const float* y;
  float* out;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    const int64_t row = thread.block * kThreads + thread.index;
    if (row >= rows) return;
    const float* g = gradient + row * width;
    const float* of = y + row * width;
    float sum = 0.0f;
    for (int64_t i = 0; i < width; ++i) sum += logarithm ? g[i] : g[i] * of[i];
    for (int64_t i = 0; i < width; ++i) {
      out[row * width + i] =
          logarithm ? std::fma(-std::exp(of[i]), sum, g[i]) : of[i] * (g[i] - sum);
    }
  }
};

}  // namespace

void softmax(Stream* stream, int32_t logarithm, int64_t rows, int64_t width, const float* x,
             float* y) {
  if (width == 0) return;
  launch(*stream, SoftmaxKernel{logarithm != 0, rows, width, x, y},
         ceilDivide(rows, SoftmaxKernel::kThreads));
}

void softmaxGradient(Stream* stream, int32_t logarithm, int64_t rows, int64_t width,
                     const float* gradient, const float* y, float* out) {
  if (width == 0) return;
  launch(*stream, SoftmaxGradientKernel{logarithm != 0, rows, width, gradient, y, out},
         ceilDivide(rows, SoftmaxGradientKernel::kThreads));
}

}  // namespace polydomain::cuda
