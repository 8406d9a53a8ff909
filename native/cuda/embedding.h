#pragma once

#include "stream.h"

// Rows of tables; polydomain/cuda_api.h says what each does.
namespace polydomain::cuda {

void gatherRows(Stream* stream, const float* table, PolydomainCudaRows rows, float* out,
                int64_t stride);
void restoreRows(Stream* stream, float* table, PolydomainCudaRows rows, const float* saved);
void sumRows(Stream* stream, const PolydomainCudaList* lists, int32_t listCount,
             const PolydomainCudaPosition* positions, const int32_t* offsets, int64_t segments,
             int64_t dim, float* out);
void poolRows(Stream* stream, const float* table, PolydomainCudaRows bags, int64_t width,
              int32_t mean, float* out, int64_t stride);
void divideByBagSize(Stream* stream, const float* in, PolydomainCudaRows bags, int64_t width,
                     float* out);

}  // namespace polydomain::cuda
