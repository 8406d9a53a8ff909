// A CUDA plugin whose interface the core does not know.

#include "polydomain/cuda_api.h"

extern "C" __attribute__((visibility("default"))) const PolydomainCudaApi* polydomainCudaApi() {
  static const PolydomainCudaApi api = [] {
    PolydomainCudaApi other{};
    other.version = POLYDOMAIN_CUDA_API_VERSION + 1;
    return other;
  }();
  return &api;
}
