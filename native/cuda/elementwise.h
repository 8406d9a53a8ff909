#pragma once

#include "stream.h"

// Functions of one or two values, element by element; polydomain/cuda_api.h says what it does.
namespace polydomain::cuda {

void elementwise(Stream* stream, int32_t function, float p, float q,
                 const PolydomainCudaShape* shape, const float* a, const float* b, float* c);

}  // namespace polydomain::cuda
