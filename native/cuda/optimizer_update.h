#pragma once

#include "stream.h"

// Steps of optimizers; polydomain/cuda_api.h says what each does. On processors with fused
// multiply-add the bits are those of native/cpu/optimizer_update.h.
namespace polydomain::cuda {

void updateWeights(Stream* stream, int32_t kind, const PolydomainCudaScalars* scalars, int64_t n,
                   float* w, const float* g, float* state0, float* state1);
void updateRows(Stream* stream, int32_t kind, const PolydomainCudaScalars* scalars,
                PolydomainCudaRows rows, float* table, const float* g, float* state0,
                float* state1);

}  // namespace polydomain::cuda
