#pragma once

// Sums in double whose order follows from the number of terms alone: each block adds up one chunk,
// and one block the chunks.

#include "grid.h"
#include "sweep.h"

namespace polydomain::cuda {

inline constexpr int kSumThreads = 128;

struct SumShared {
  double partial[kSumThreads];
};

// The sum of the block's `own`, for all of its threads.
POLYDOMAIN_DEVICE double blockSum(const Thread& thread, SumShared& shared, double own) {
  shared.partial[thread.index] = own;
  thread.barrier();
  for (int width = kSumThreads / 2; width > 0; width /= 2) {
    if (thread.index < width) shared.partial[thread.index] += shared.partial[thread.index + width];
    thread.barrier();
  }
  return shared.partial[0];
}

// A term is a struct with `template <int W> double sum(int64_t at) const`, the sum of the terms
// at .. at + W - 1, and `bool aligned() const`, whether W = 4 is possible.
template <class Term, int W>
struct SumChunksKernel {
  static constexpr int kThreads = kSumThreads;
  using Shared = SumShared;
  Term term;
  int64_t count, chunk;
  double* partial;  // one per block

  POLYDOMAIN_DEVICE void operator()(const Thread& thread, Shared& shared) const {
    const int64_t begin = thread.block * chunk;
    const int64_t end = begin + chunk < count ? begin + chunk : count;
    const int64_t vectorsEnd = begin + (end - begin) / W * W;
    double own = 0.0;
    POLYDOMAIN_UNROLL(4)
    for (int64_t at = begin + thread.index * W; at < vectorsEnd; at += kThreads * W) {
      own += term.template sum<W>(at);
    }
    if (vectorsEnd + thread.index < end) own += term.template sum<1>(vectorsEnd + thread.index);
    const double sum = blockSum(thread, shared, own);
    if (thread.index == 0) partial[thread.block] = sum;
  }
};

template <class Out>
struct SumPartialsKernel {
  static constexpr int kThreads = kSumThreads;
  using Shared = SumShared;
  const double* partial;
  int64_t count;
  double divisor;
  Out* out;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread, Shared& shared) const {
    double own = 0.0;
    for (int64_t i = thread.index; i < count; i += kThreads) own += partial[i];
    const double sum = blockSum(thread, shared, own);
    if (thread.index == 0) *out = static_cast<Out>(sum / divisor);
  }
};

// *out = the sum of the terms / divisor; 0 for none.
template <class Term, class Out>
void sumTerms(Stream& stream, const Term& term, int64_t count, double divisor, Out* out) {
  constexpr int64_t kChunk = 8192, kMostChunks = 2048;  // a chunk begins where a vector may
  const int64_t chunk = kChunk * ceilDivide(ceilDivide(count, kChunk), kMostChunks);
  const int64_t chunks = count == 0 ? 0 : ceilDivide(count, chunk);
  auto* partial = static_cast<double*>(stream.workspace);
  if (term.aligned()) {
    launch(stream, SumChunksKernel<Term, 4>{term, count, chunk, partial}, chunks);
  } else {
    launch(stream, SumChunksKernel<Term, 1>{term, count, chunk, partial}, chunks);
  }
  launch(stream, SumPartialsKernel<Out>{partial, chunks, count == 0 ? 1.0 : divisor, out}, 1);
}

}  // namespace polydomain::cuda
