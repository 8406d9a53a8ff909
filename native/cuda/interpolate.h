#pragma once

#include "stream.h"

// Marks and gradient buffers on the device; polydomain/cuda_api.h says what each does.
namespace polydomain::cuda {

void lerp(Stream* stream, const float* rate, int64_t n, const float* saved, float* values);
void lerpRows(Stream* stream, const float* rate, PolydomainCudaRows rows, const float* saved,
              float* table);
void axpy(Stream* stream, const float* scale, int64_t n, const float* from, float* to);
void scale(Stream* stream, const float* factor, int64_t n, float* values);

}  // namespace polydomain::cuda
