#include "polydomain/cuda.h"

#include "cuda_device.h"

namespace polydomain {

const PolydomainCudaApi& cudaApi() {
  static const PolydomainCudaApi& api = openCudaPlugin(cudaPluginPath());
  return api;
}

}  // namespace polydomain
