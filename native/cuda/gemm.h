#pragma once

#include "stream.h"

// Matrix products with the epilogues of native/cpu/gemm.h; polydomain/cuda_api.h says what they do.
//
// An element of the own kernel's product is one chain of fused multiply-adds in ascending order of
// k (of eight chains where there is a single column), so it depends on its row, its column and k
// alone, not on the batch. Only a product with a transposed left side (a weight gradient, where k
// is the batch) is cut along k, by its shape alone, and its parts are added up in ascending order.
// cuBLASLt gives the same bits in every run on one device and version; they depend on the shape.
namespace polydomain::cuda {

void product(Stream* stream, const PolydomainCudaProduct* product);

}  // namespace polydomain::cuda
