#pragma once

#include "stream.h"

// Losses and their gradients; polydomain/cuda_api.h says what each does.
namespace polydomain::cuda {

void bceWithLogits(Stream* stream, int64_t rows, const float* logits, const float* labels,
                   const float* weights, float* out);
void bceWithLogitsGradient(Stream* stream, int64_t rows, const float* logits, const float* labels,
                           const float* weights, const float* gradient, float* out);

}  // namespace polydomain::cuda
