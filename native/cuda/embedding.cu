#include "embedding.h"

#include <algorithm>
#include <string>

#include "polydomain/error.h"
#include "sweep.h"

namespace polydomain::cuda {

namespace {

struct GatherOperation {
  const float* table;
  float* out;

  template <int W>
  using Values = Vec<W>;
  POLYDOMAIN_DEVICE void begin() {}
  template <int W>
  POLYDOMAIN_DEVICE Vec<W> load(int64_t at, int64_t) const {
    return cuda::load<W>(table + at);
  }
  template <int W>
  POLYDOMAIN_DEVICE void store(int64_t, int64_t own, Vec<W> x) const {
    cuda::store(out + own, x);
  }
  bool aligned() const { return aligned16(table) && aligned16(out); }
};

struct RestoreOperation {
  float* table;
  const float* saved;

  template <int W>
  using Values = Vec<W>;
  POLYDOMAIN_DEVICE void begin() {}
  template <int W>
  POLYDOMAIN_DEVICE Vec<W> load(int64_t, int64_t own) const {
    return cuda::load<W>(saved + own);
  }
  template <int W>
  POLYDOMAIN_DEVICE void store(int64_t at, int64_t, Vec<W> x) const {
    cuda::store(table + at, x);
  }
  bool aligned() const { return aligned16(table) && aligned16(saved); }
};

// 2^laneBits threads on one segment; each adds up its columns of the rows in their order, with
// several of them under way.
template <int W>
struct SumRowsKernel {
  static constexpr int kThreads = 256, kAhead = 8;
  PolydomainCudaList lists[POLYDOMAIN_CUDA_MAX_LISTS];
  const PolydomainCudaPosition* positions;
  const int32_t* offsets;
  int64_t segments, dim;
  float* out;
  int laneBits;

  POLYDOMAIN_DEVICE const float* row(int32_t term) const {
    if (positions == nullptr) return lists[0].data + term * lists[0].stride;
    const PolydomainCudaPosition position = positions[term];
    const PolydomainCudaList& list = lists[position.list];
    return list.data + position.row * list.stride;
  }

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    const int64_t segment = thread.block * (kThreads >> laneBits) + (thread.index >> laneBits);
    if (segment >= segments) return;
    const int32_t begin = offsets[segment], end = offsets[segment + 1];
    const int lane = thread.index & ((1 << laneBits) - 1);
    for (int64_t column = lane * W; column < dim; column += W << laneBits) {
      Vec<W> sum{};
      if (begin < end) sum = load<W>(row(begin) + column);
      for (int32_t term = begin + 1; term < end; term += kAhead) {
        Vec<W> terms[kAhead] = {};
        POLYDOMAIN_UNROLL()
        for (int u = 0; u < kAhead; ++u) {
          if (term + u < end) terms[u] = load<W>(row(term + u) + column);
        }
        POLYDOMAIN_UNROLL()
        for (int u = 0; u < kAhead; ++u) {
          if (term + u < end) {
            POLYDOMAIN_UNROLL()
            for (int i = 0; i < W; ++i) sum.v[i] += terms[u].v[i];
          }
        }
      }
      store(out + segment * dim + column, sum);
    }
  }
};

template <int W>
void launchSum(Stream& stream, SumRowsKernel<W> kernel, const PolydomainCudaList* lists,
               int32_t listCount) {
  std::copy_n(lists, listCount, kernel.lists);
  kernel.laneBits = laneBitsOf(ceilDivide(kernel.dim, W));
  launch(stream, kernel,
         ceilDivide(kernel.segments, SumRowsKernel<W>::kThreads >> kernel.laneBits));
}

constexpr int32_t kNoId = -1;

// A thread makes one element of a bag.
struct PoolRowsKernel {
  static constexpr int kThreads = 256;
  const float* table;
  PolydomainCudaRows bags;
  int64_t width, stride;
  bool mean;
  float* out;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    const int64_t at = thread.block * kThreads + thread.index;
    const int64_t bag = at / bags.dim, column = at % bags.dim;
    if (bag >= bags.count) return;
    float sum = 0.0f;
    int count = 0;
    for (int64_t i = bag * width; i < (bag + 1) * width; ++i) {
      if (bags.ids[i] == kNoId) continue;
      const float value = table[bags.ids[i] * bags.dim + column];
      sum = count == 0 ? value : sum + value;
      ++count;
    }
    if (mean && count > 0) sum *= 1.0f / static_cast<float>(count);
    out[bag * stride + column] = sum;
  }
};

struct DivideByBagSizeKernel {
  static constexpr int kThreads = 256;
  const float* in;
  PolydomainCudaRows bags;
  int64_t width;
  float* out;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    const int64_t at = thread.block * kThreads + thread.index;
    const int64_t bag = at / bags.dim;
    if (bag >= bags.count) return;
    int count = 0;
    for (int64_t i = bag * width; i < (bag + 1) * width; ++i) count += bags.ids[i] != kNoId;
    out[at] = in[at] * (count > 0 ? 1.0f / static_cast<float>(count) : 0.0f);
  }
};

}  // namespace

void gatherRows(Stream* stream, const float* table, PolydomainCudaRows rows, float* out,
                int64_t stride) {
  sweepRows(*stream, GatherOperation{table, out}, rows, stride);
}

void restoreRows(Stream* stream, float* table, PolydomainCudaRows rows, const float* saved) {
  sweepRows(*stream, RestoreOperation{table, saved}, rows, rows.dim);
}

void sumRows(Stream* stream, const PolydomainCudaList* lists, int32_t listCount,
             const PolydomainCudaPosition* positions, const int32_t* offsets, int64_t segments,
             int64_t dim, float* out) {
  if (listCount < 0 || listCount > POLYDOMAIN_CUDA_MAX_LISTS) {
    throw Error(ErrorKind::kDevice, "sumRows: " + std::to_string(listCount) +
                                        " lists; expected at most " +
                                        std::to_string(POLYDOMAIN_CUDA_MAX_LISTS));
  }
  if (dim == 0) return;
  bool aligned = dim % 4 == 0 && aligned16(out);
  for (int32_t i = 0; i < listCount; ++i) {
    aligned = aligned && lists[i].stride % 4 == 0 && aligned16(lists[i].data);
  }
  if (aligned) {
    launchSum(*stream, SumRowsKernel<4>{{}, positions, offsets, segments, dim, out, 0}, lists,
              listCount);
  } else {
    launchSum(*stream, SumRowsKernel<1>{{}, positions, offsets, segments, dim, out, 0}, lists,
              listCount);
  }
}

void poolRows(Stream* stream, const float* table, PolydomainCudaRows bags, int64_t width,
              int32_t mean, float* out, int64_t stride) {
  launch(*stream, PoolRowsKernel{table, bags, width, stride, mean != 0, out},
         ceilDivide(bags.count * bags.dim, PoolRowsKernel::kThreads));
}

void divideByBagSize(Stream* stream, const float* in, PolydomainCudaRows bags, int64_t width,
                     float* out) {
  launch(*stream, DivideByBagSizeKernel{in, bags, width, out},
         ceilDivide(bags.count * bags.dim, DivideByBagSizeKernel::kThreads));
}

}  // namespace polydomain::cuda
