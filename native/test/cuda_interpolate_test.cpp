#include <gtest/gtest.h>

#include <cmath>

#include "cuda_device.h"

namespace polydomain {
namespace {

// None, less than a vector, whole vectors, blocks, and rests of both.
const std::vector<int64_t> kSizes = {0, 1, 3, 4, 255, 1024, 1030, 4096, 70001};

struct RowsCase {
  int64_t dim, count;
};
std::vector<RowsCase> rowsCases() {
  std::vector<RowsCase> cases;
  for (const int64_t dim : {1, 3, 16, 128, 130}) {
    for (const int64_t count : {0, 1, 5, 300}) cases.push_back({dim, count});
  }
  return cases;
}
constexpr int64_t kTableRows = 400;

TEST(CudaInterpolate, LerpMovesASlabAPartOfTheWay) {
  const CudaStream stream;
  const float rate = 0.3f;
  const CudaArray<float> rates(stream, rate);
  for (const int64_t n : kSizes) {
    for (const size_t skipped : {0, 1}) {
      const std::vector<float> saved = randomFloats(n, 1);
      std::vector<float> values = randomFloats(n, 2);
      const CudaArray<float> from(stream, saved), to(stream, values, skipped);
      succeed(cudaApi().lerp(stream, rates.data(), n, from.data(), to.data()));
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = saved[i] + rate * (values[i] - saved[i]);  // ParameterSpace::lerp
      }
      EXPECT_EQ(to.read(), values) << n << " values, " << skipped << " skipped";
    }
  }
}

TEST(CudaInterpolate, LerpOfRowsLeavesTheOthers) {
  const CudaStream stream;
  const float rate = 0.7f;
  const CudaArray<float> rates(stream, rate);
  for (const auto& [dim, count] : rowsCases()) {
    const std::vector<int32_t> ids = distinctRows(kTableRows, count);
    const std::vector<float> saved = randomFloats(count * dim, 1);
    std::vector<float> table = randomFloats(kTableRows * dim, 2);
    const CudaArray<int32_t> rows(stream, ids);
    const CudaArray<float> from(stream, saved), to(stream, table);
    succeed(cudaApi().lerpRows(stream, rates.data(), {rows.data(), count, dim}, from.data(),
                               to.data()));
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t c = 0; c < dim; ++c) {
        float& value = table[static_cast<size_t>(ids[static_cast<size_t>(i)] * dim + c)];
        const float old = saved[static_cast<size_t>(i * dim + c)];
        value = old + rate * (value - old);
      }
    }
    EXPECT_EQ(to.read(), table) << count << " rows of " << dim;
  }
}

TEST(CudaInterpolate, RestoreEndsASnapshot) {
  const CudaStream stream;
  for (const auto& [dim, count] : rowsCases()) {
    const std::vector<int32_t> ids = distinctRows(kTableRows, count);
    const std::vector<float> table = randomFloats(kTableRows * dim, 1);
    const CudaArray<int32_t> rows(stream, ids);
    const CudaArray<float> values(stream, table);
    const CudaArray<float> saved(stream, std::vector<float>(static_cast<size_t>(count * dim)));
    const PolydomainCudaRows some{rows.data(), count, dim};
    succeed(cudaApi().gatherRows(stream, values.data(), some, saved.data(), dim));
    const CudaArray<float> factor(stream, 2.0f);
    succeed(cudaApi().scale(stream, factor.data(), kTableRows * dim, values.data()));
    succeed(cudaApi().restoreRows(stream, values.data(), some, saved.data()));
    std::vector<float> expected = table;
    for (float& value : expected) value *= 2.0f;
    for (const int32_t id : ids) {
      std::copy_n(table.begin() + id * dim, dim, expected.begin() + id * dim);
    }
    EXPECT_EQ(values.read(), expected) << count << " rows of " << dim;
  }
}

TEST(CudaInterpolate, AxpyAndScale) {
  const CudaStream stream;
  const CudaArray<float> factor(stream, -0.37f);
  for (const int64_t n : kSizes) {
    for (const size_t skipped : {0, 3}) {
      const std::vector<float> from = randomFloats(n, 1);
      std::vector<float> to = randomFloats(n, 2);
      const CudaArray<float> x(stream, from, skipped), y(stream, to);
      succeed(cudaApi().axpy(stream, factor.data(), n, x.data(), y.data()));
      for (size_t i = 0; i < to.size(); ++i) to[i] += -0.37f * from[i];
      EXPECT_EQ(y.read(), to) << n;
      succeed(cudaApi().scale(stream, factor.data(), n, y.data()));
      for (float& value : to) value *= -0.37f;
      EXPECT_EQ(y.read(), to) << n;
    }
  }
}

TEST(CudaInterpolate, DotAddsUpInDouble) {
  const CudaStream stream;
  const CudaArray<double> out(stream, 7.0);
  for (const int64_t n : kSizes) {
    for (const size_t skipped : {0, 2}) {
      const std::vector<float> a = randomFloats(n, 1), b = randomFloats(n, 2);
      long double sum = 0.0L, size = 0.0L;
      for (size_t i = 0; i < a.size(); ++i) {
        const long double term = static_cast<long double>(a[i]) * static_cast<long double>(b[i]);
        sum += term;
        size += std::abs(term);
      }
      const CudaArray<float> x(stream, a, skipped), y(stream, b, skipped);
      succeed(cudaApi().dot(stream, n, x.data(), y.data(), out.data()));
      // Products are exact in double; Higham, section 4.2, bounds their sum.
      const double bound = static_cast<double>(n) * 0x1p-53 * static_cast<double>(size);
      EXPECT_NEAR(out.read()[0], static_cast<double>(sum), bound) << n;
    }
  }
}

TEST(CudaInterpolate, ARecordingReadsNumbersWhenItIsReplayed) {
  const CudaStream stream;
  const int64_t n = 1000;
  const std::vector<float> from = randomFloats(n, 1);
  std::vector<float> to = randomFloats(n, 2);
  const CudaArray<float> x(stream, from), y(stream, to);
  CudaArray<float> factor(stream, 1.0f);
  PolydomainCudaGraph* graph = nullptr;
  succeed(cudaApi().beginRecording(stream));
  succeed(cudaApi().axpy(stream, factor.data(), n, x.data(), y.data()));
  succeed(cudaApi().axpy(stream, factor.data(), n, x.data(), y.data()));
  succeed(cudaApi().endRecording(stream, &graph));
  EXPECT_EQ(y.read(), to) << "recording alone changes nothing";
  for (const float value : {0.5f, -0.25f}) {
    factor.write({value});
    succeed(cudaApi().replay(stream, graph));
    for (int twice = 0; twice < 2; ++twice) {
      for (size_t i = 0; i < to.size(); ++i) to[i] += value * from[i];
    }
    EXPECT_EQ(y.read(), to) << value;
  }
  succeed(cudaApi().destroyGraph(graph));
}

}  // namespace
}  // namespace polydomain
