#pragma once

// Kernels that compile in two ways: by nvcc for the device, and by the host's compiler against an
// emulation of the grid (emulation/grid.h), so that the same code runs under the CPU's tests and
// sanitizers. A kernel is a struct of its arguments:
//
//   struct Kernel {
//     static constexpr int kThreads = 256;  // of a block
//     ...
//     POLYDOMAIN_DEVICE void operator()(const Thread& thread) const;
//   };
//
// One whose threads work together has also a `struct Shared`, their block's shared memory, which
// is the second argument; only such kernels may call thread.barrier().
//
// Both ways compile without contraction of a * b + c (nvcc: --fmad=false): std::fma says where it
// is meant. So both give the same bits, but for exp and log1p.

#include <cmath>
#include <cstdint>

#include "stream.h"

#ifdef __CUDACC__
#define POLYDOMAIN_DEVICE __device__ __forceinline__
#define POLYDOMAIN_PRAGMA(text) _Pragma(#text)
// Before a loop; () unrolls all of it.
#define POLYDOMAIN_UNROLL(times) POLYDOMAIN_PRAGMA(unroll times)
#else
#define POLYDOMAIN_DEVICE inline
#define POLYDOMAIN_UNROLL(times)
#include "emulation/grid.h"
#endif

namespace polydomain::cuda {

inline int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

#ifdef __CUDACC__

struct Thread {
  int index;      // within its block
  int64_t block;  // within the grid
  int64_t blocks;
  POLYDOMAIN_DEVICE void barrier() const { __syncthreads(); }
};

template <class Kernel>
concept Cooperates = requires {
  typename Kernel::Shared;
};

template <class Kernel>
constexpr int leastBlocks() {
  if constexpr (requires { Kernel::kLeastBlocks; }) return Kernel::kLeastBlocks;
  return 1;
}

template <class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads, leastBlocks<Kernel>())
    runKernel(const __grid_constant__ Kernel kernel) {
  const Thread thread{static_cast<int>(threadIdx.x), blockIdx.x, gridDim.x};
  if constexpr (Cooperates<Kernel>) {
    __shared__ typename Kernel::Shared shared;
    kernel(thread, shared);
  } else {
    kernel(thread);
  }
}

// Queues a grid of so many blocks.
template <class Kernel>
void launch(Stream& stream, const Kernel& kernel, int64_t blocks) {
  if (blocks == 0) return;
  runKernel<<<static_cast<unsigned>(blocks), Kernel::kThreads, 0, stream.queue>>>(kernel);
  check(cudaGetLastError(), "launching a kernel");
}

#endif

}  // namespace polydomain::cuda
