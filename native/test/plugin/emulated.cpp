// The emulation as a CUDA plugin.

#include "cuda/api.h"

extern "C" __attribute__((visibility("default"))) const PolydomainCudaApi* polydomainCudaApi() {
  return &polydomain::cuda::api();
}
