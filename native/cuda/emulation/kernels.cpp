// The kernels of all families, compiled by the host's compiler.

#include "../api.cu"
#include "../dropout.cu"
#include "../elementwise.cu"
#include "../embedding.cu"
#include "../gemm.cu"
#include "../interpolate.cu"
#include "../loss.cu"
#include "../optimizer_update.cu"
#include "../reduce.cu"
#include "../softmax.cu"
