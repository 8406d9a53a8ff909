#include <gtest/gtest.h>

#include <cmath>

#include "cuda_device.h"

namespace polydomain {
namespace {

struct Rows {
  std::vector<float> logits, labels, weights;
};

// Logits from -120 to 120: exp() of them overflows a float.
Rows rowsOf(int64_t count) {
  Rows rows{randomFloats(count, 1), randomFloats(count, 2), randomFloats(count, 3)};
  for (size_t i = 0; i < rows.logits.size(); ++i) {
    rows.logits[i] *= i % 3 == 0 ? 120.0f : 4.0f;
    rows.labels[i] = i % 7 == 0 ? 0.25f : (rows.labels[i] > 0.0f ? 1.0f : 0.0f);
    rows.weights[i] = 1.0f + rows.weights[i];
  }
  return rows;
}

double lossOf(double z, double y) {
  return std::max(z, 0.0) - z * y + std::log1p(std::exp(-std::abs(z)));
}

TEST(CudaLoss, EqualsTheMeanInDouble) {
  const CudaStream stream;
  for (const int64_t count : {0, 1, 3, 4, 1000, 20001}) {
    for (const size_t skipped : {0, 1}) {
      const Rows rows = rowsOf(count);
      const CudaArray<float> z(stream, rows.logits, skipped), y(stream, rows.labels),
          w(stream, rows.weights), out(stream, 7.0f);
      for (const bool weighted : {false, true}) {
        succeed(cudaApi().bceWithLogits(stream, count, z.data(), y.data(),
                                        weighted ? w.data() : nullptr, out.data()));
        double sum = 0.0;
        for (size_t i = 0; i < rows.logits.size(); ++i) {
          sum += lossOf(rows.logits[i], rows.labels[i]) * (weighted ? rows.weights[i] : 1.0f);
        }
        const double mean = count == 0 ? 0.0 : sum / static_cast<double>(count);
        // Each term is rounded a few times.
        EXPECT_NEAR(out.read()[0], mean, 8 * 0x1p-24 * mean) << count << weighted;
      }
    }
  }
}

TEST(CudaLoss, GradientEqualsTheOneInDouble) {
  const CudaStream stream;
  const float upstream = 0.125f;
  const CudaArray<float> onDevice(stream, upstream);
  for (const int64_t count : {0, 1, 3, 4, 1000, 20001}) {
    const Rows rows = rowsOf(count);
    for (const bool weighted : {false, true}) {
      const CudaArray<float> z(stream, rows.logits), y(stream, rows.labels),
          w(stream, rows.weights);
      succeed(cudaApi().bceWithLogitsGradient(stream, count, z.data(), y.data(),
                                              weighted ? w.data() : nullptr, onDevice.data(),
                                              z.data()));
      const std::vector<float> got = z.read();
      const double scale = static_cast<double>(upstream) / static_cast<double>(count);
      for (size_t i = 0; i < rows.logits.size(); ++i) {
        const double sigmoid = 1.0 / (1.0 + std::exp(-static_cast<double>(rows.logits[i])));
        const double weight = weighted ? rows.weights[i] : 1.0f;
        const double expected = (sigmoid - static_cast<double>(rows.labels[i])) * scale * weight;
        // The sigmoid's own rounding, then that of what follows.
        const double bound =
            8 * 0x1p-24 * sigmoid * scale * weight + 4 * 0x1p-24 * std::abs(expected);
        ASSERT_NEAR(got[i], expected, bound + 1e-37) << rows.logits[i] << ", " << rows.labels[i];
      }
    }
  }
}

}  // namespace
}  // namespace polydomain
