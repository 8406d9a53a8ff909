// What marks and gradient buffers cost beside the memory traffic that they cannot do without. Every
// benchmark counts the bytes that its result needs to be read and written, so that its rate
// compares with that of the plain loop over the same memory ("Memory...", after McCalpin's STREAM).

#include <benchmark/benchmark.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "cpu/chunks.h"
#include "polydomain/space.h"

namespace polydomain {
namespace {

constexpr int64_t kSlab = int64_t{1} << 24;  // floats: 64 MiB, beyond the caches of a core
constexpr int64_t kTableRows = 500'000, kTouchedRows = 100'000;
constexpr int64_t kChunk = int64_t{1} << 16;  // floats of a thread's piece of a plain loop

std::vector<uint32_t> distinctRows() {
  std::vector<int32_t> order(kTableRows);
  fillPermutation({1, 2, 3}, kTableRows, order.data());
  return {order.begin(), order.begin() + kTouchedRows};
}

// One dense parameter, or one table; written once, so that all of its pages are there.
std::vector<ParameterSpec> oneParameter(int64_t dim) {
  const Initializer uniform{InitKind::kUniform, -1.0f, 1.0f};
  if (dim == 0) return {{"dense", ParameterKind::kDense, {kSlab}, uniform, 0.0f}};
  return {{"table", ParameterKind::kTable, {kTableRows, dim}, uniform, 0.0f}};
}

class Space {
 public:
  // dim 0: the dense slab; else so many columns of touched rows of a table.
  Space(int64_t dim, int threads)
      : dim_(dim), pool_(std::make_shared<ThreadPool>(threads)), space_(oneParameter(dim), 1) {
    space_.useThreads(pool_);
    if (dim > 0) rows_ = distinctRows();
  }

  ParameterSpace& operator*() { return space_; }
  ParameterSpace* operator->() { return &space_; }
  ThreadPool& pool() { return *pool_; }
  int64_t floats() const { return dim_ == 0 ? kSlab : kTouchedRows * dim_; }
  std::span<const uint32_t> rows() const { return rows_; }
  int region() const { return space_.regionOf(0); }

  void touch() {
    if (dim_ == 0) {
      space_.touchDense(0);
    } else {
      space_.touch(region(), rows_);
    }
  }

 private:
  int64_t dim_;
  std::shared_ptr<ThreadPool> pool_;
  ParameterSpace space_;
  std::vector<uint32_t> rows_;
};

void countBytes(benchmark::State& state, int64_t floats, int64_t streams) {
  state.SetBytesProcessed(state.iterations() * floats * streams *
                          static_cast<int64_t>(sizeof(float)));
}

void sizes(benchmark::internal::Benchmark* one) {
  one->ArgNames({"dim", "threads"})
      ->ArgsProduct({{0, 16, 128}, {1, 2}})
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

// to[i] = from[i], of the slab or of the table's rows gathered to one place.
void MemoryCopy(benchmark::State& state) {
  Space space(state.range(0), static_cast<int>(state.range(1)));
  std::vector<float> to(static_cast<size_t>(space.floats()));
  const float* from = space->region(space.region());
  const int64_t dim = state.range(0);
  for (auto _ : state) {
    if (dim == 0) {
      cpu::forChunks(space.pool(), kSlab, kChunk, [&](int64_t begin, int64_t end) {
        std::copy(from + begin, from + end, to.data() + begin);
      });
    } else {
      cpu::forChunks(space.pool(), kTouchedRows, kChunk / dim, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          std::copy_n(from + space.rows()[static_cast<size_t>(i)] * dim, dim, to.data() + i * dim);
        }
      });
    }
    benchmark::DoNotOptimize(to.data());
  }
  countBytes(state, space.floats(), 2);
}
BENCHMARK(MemoryCopy)->Apply(sizes);

// to[i] += rate * (from[i] - to[i]), `to` being the slab or the table's rows.
void MemoryLerp(benchmark::State& state) {
  Space space(state.range(0), static_cast<int>(state.range(1)));
  std::vector<float> from(static_cast<size_t>(space.floats()), 1.0f);
  float* to = space->region(space.region());
  const int64_t dim = state.range(0);
  const auto move = [](const float* saved, float* value, int64_t count) {
    for (int64_t i = 0; i < count; ++i) value[i] = saved[i] + 0.5f * (value[i] - saved[i]);
  };
  for (auto _ : state) {
    if (dim == 0) {
      cpu::forChunks(space.pool(), kSlab, kChunk, [&](int64_t begin, int64_t end) {
        move(from.data() + begin, to + begin, end - begin);
      });
    } else {
      cpu::forChunks(space.pool(), kTouchedRows, kChunk / dim, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          move(from.data() + i * dim, to + space.rows()[static_cast<size_t>(i)] * dim, dim);
        }
      });
    }
    benchmark::DoNotOptimize(to);
  }
  countBytes(state, space.floats(), 3);
}
BENCHMARK(MemoryLerp)->Apply(sizes);

// A mark, and what it saves when all is touched.
void Snapshot(benchmark::State& state) {
  Space space(state.range(0), static_cast<int>(state.range(1)));
  for (auto _ : state) {
    const MarkId mark = space->mark();
    space.touch();
    state.PauseTiming();
    space->release(mark);
    state.ResumeTiming();
  }
  countBytes(state, space.floats(), 2);
}
BENCHMARK(Snapshot)->Apply(sizes);

void Restore(benchmark::State& state) {
  Space space(state.range(0), static_cast<int>(state.range(1)));
  for (auto _ : state) {
    state.PauseTiming();
    const MarkId mark = space->mark();
    space.touch();
    state.ResumeTiming();
    space->restore(mark);
    state.PauseTiming();
    space->release(mark);
    state.ResumeTiming();
  }
  countBytes(state, space.floats(), 2);
}
BENCHMARK(Restore)->Apply(sizes);

// MAMDR's outer step: what changed since a mark moves a part of the way.
void Lerp(benchmark::State& state) {
  Space space(state.range(0), static_cast<int>(state.range(1)));
  const MarkId mark = space->mark();
  space.touch();
  for (auto _ : state) space->lerp(mark, 0.5f);
  space->release(mark);
  countBytes(state, space.floats(), 3);
}
BENCHMARK(Lerp)->Apply(sizes);

// buffer += rate * other, of gradients that hold the same units.
void Axpy(benchmark::State& state) {
  Space space(state.range(0), static_cast<int>(state.range(1)));
  GradientBuffer sum(*space), part(*space);
  const int64_t dim = state.range(0);
  const std::vector<float> gradient(static_cast<size_t>(space.floats()), 1.0f);
  for (GradientBuffer* buffer : {&sum, &part}) {
    if (dim == 0) {
      buffer->addUnits(0, 0, kSlab / kDenseBlock, gradient.data(), 1.0f);
    } else {
      for (size_t i = 0; i < space.rows().size(); ++i) {
        buffer->addUnits(space.region(), space.rows()[i], 1, gradient.data(), 1.0f);
      }
    }
  }
  for (auto _ : state) sum.add(part, 0.5f);
  countBytes(state, space.floats(), 3);
}
BENCHMARK(Axpy)->Apply(sizes);

}  // namespace
}  // namespace polydomain
