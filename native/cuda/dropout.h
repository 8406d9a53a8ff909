#pragma once

#include "stream.h"

// polydomain/cuda_api.h says what it does. Masks have the bits of native/cpu/dropout.h.
namespace polydomain::cuda {

void dropout(Stream* stream, PolydomainCudaRandom random, float keep, int64_t n, const float* x,
             float* y);

}  // namespace polydomain::cuda
