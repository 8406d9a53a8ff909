#pragma once

#include <cuda_runtime_api.h>

#include <memory>

#include "polydomain/cuda_api.h"

namespace polydomain::cuda {

// cuBLASLt, opened at run time: products are faster with it, and nothing needs it.
class Blas {
 public:
  // Null where the library is not installed, or does not take this device.
  static std::unique_ptr<Blas> open();
  ~Blas();

  // The product with its bias and relu; what else the epilogue has is left to the caller. Queued
  // on the device's stream. Throws Error(kDevice) where the library has no way to do it.
  void product(cudaStream_t queue, const PolydomainCudaProduct& product, void* workspace,
               size_t workspaceBytes);

 private:
  class Impl;
  explicit Blas(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace polydomain::cuda
