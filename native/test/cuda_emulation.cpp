#include "cuda/api.h"
#include "cuda_device.h"

namespace polydomain {

const PolydomainCudaApi& cudaApi() { return cuda::api(); }

}  // namespace polydomain
