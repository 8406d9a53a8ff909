// Kernels alone, at the shapes of the papers' MLP: `cmake --preset benchmarks && cmake --build
// --preset benchmarks && build/benchmarks/polydomain_benchmarks`.

#include <benchmark/benchmark.h>

#include <vector>

#include "cpu/embedding.h"
#include "cpu/gemm.h"
#include "polydomain/random.h"

namespace polydomain {
namespace {

std::vector<float> uniform(int64_t count, uint64_t step) {
  std::vector<float> values(static_cast<size_t>(count));
  fillUniform({1, 1, step}, 0, count, -1.0f, 1.0f, values.data());
  return values;
}

void Gemm(benchmark::State& state) {
  const int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  ThreadPool pool(static_cast<int>(state.range(3)));
  const std::vector<float> a = uniform(m * k, 1), b = uniform(n * k, 2);
  std::vector<float> c(static_cast<size_t>(m * n));
  for (auto _ : state) {
    cpu::gemm(pool, cpu::Transpose::kNo, cpu::Transpose::kYes, m, n, k, a.data(), k, b.data(), k,
              c.data(), n);
    benchmark::DoNotOptimize(c.data());
  }
  state.counters["FLOP/s"] = benchmark::Counter(
      2.0 * static_cast<double>(m * n * k) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}
// Two layers of the MLP, and a 1x1 convolution of ResNet-50 (56 x 56 places, 64 to 256 channels).
BENCHMARK(Gemm)
    ->ArgNames({"m", "n", "k", "threads"})
    ->ArgsProduct({{1024}, {256}, {256}, {1, 2}})
    ->ArgsProduct({{1024}, {64}, {128}, {1, 2}})
    ->ArgsProduct({{3136}, {256}, {64}, {1, 2}})
    ->ArgsProduct({{1024}, {1024}, {1024}, {1, 2}})
    ->UseRealTime();

void GatherRows(benchmark::State& state) {
  const int64_t rows = 500'000, dim = state.range(0), count = 100'000;
  const std::vector<float> table = uniform(rows * dim, 1);
  const std::vector<float> places = uniform(count, 2);
  std::vector<int32_t> ids;
  for (const float place : places) {
    ids.push_back(static_cast<int32_t>((place + 1.0f) / 2.0f * static_cast<float>(rows - 1)));
  }
  std::vector<float> out(static_cast<size_t>(count * dim));
  for (auto _ : state) {
    cpu::gatherRows(table.data(), dim, ids, out.data(), dim);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * count * dim * 8);
}
BENCHMARK(GatherRows)->ArgName("dim")->Arg(16)->Arg(128);

}  // namespace
}  // namespace polydomain
