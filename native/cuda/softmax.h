#pragma once

#include "stream.h"

// Softmax over rows; polydomain/cuda_api.h says what each does.
namespace polydomain::cuda {

void softmax(Stream* stream, int32_t logarithm, int64_t rows, int64_t width, const float* x,
             float* y);
void softmaxGradient(Stream* stream, int32_t logarithm, int64_t rows, int64_t width,
                     const float* gradient, const float* y, float* out);

}  // namespace polydomain::cuda
