#pragma once

// The stream behind the interface's opaque type: CUDA's own, or the emulation's.

#include <cstddef>
#include <memory>

#include "polydomain/cuda_api.h"

#ifdef __CUDACC__
#include <cuda_runtime_api.h>

#include "blas.h"
#else
#include <functional>
#include <vector>
#endif

namespace polydomain::cuda {

// Bytes of a stream's memory for kernels' intermediate values. Kernels of one stream run in order,
// so each may use all of it.
inline constexpr size_t kWorkspaceBytes = size_t{32} << 20;

using Stream = ::PolydomainCudaStream;
using Graph = ::PolydomainCudaGraph;

#ifdef __CUDACC__
// Throws Error(kDevice) that says what failed and CUDA's name of the error.
void check(cudaError_t error, const char* doing);
#endif

}  // namespace polydomain::cuda

struct PolydomainCudaStream {
#ifdef __CUDACC__
  int device = 0;
  cudaStream_t queue = nullptr;
  std::unique_ptr<polydomain::cuda::Blas> blas;  // null: not installed
#else
  // Runs work at once, or keeps it while a graph is recorded.
  void submit(std::function<void()> work) {
    if (recording) {
      recording->push_back(std::move(work));
    } else {
      work();
    }
  }
  std::unique_ptr<std::vector<std::function<void()>>> recording;
#endif
  void* workspace = nullptr;
};
