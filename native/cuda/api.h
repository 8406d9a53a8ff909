#pragma once

#include <string>

#include "stream.h"

namespace polydomain::cuda {

// The functions of the interface that the runtime has to give: CUDA's (runtime.cu), or the
// emulation's. They throw Error(kDevice).
int32_t deviceCount();
PolydomainCudaDevice deviceInfo(int32_t device);
Stream* createStream(int32_t device);
void destroyStream(Stream* stream);
void synchronize(Stream* stream);
void* allocate(Stream* stream, size_t bytes);
void release(Stream* stream, void* memory);
void* allocateHost(Stream* stream, size_t bytes);
void releaseHost(Stream* stream, void* memory);
void copyIn(Stream* stream, void* to, const void* host, size_t bytes);
void copyOut(Stream* stream, void* host, const void* from, size_t bytes);
void copyWithin(Stream* stream, void* to, const void* from, size_t bytes);
void zero(Stream* stream, void* memory, size_t bytes);
void beginRecording(Stream* stream);
Graph* endRecording(Stream* stream);
void replay(Stream* stream, Graph* graph);
void destroyGraph(Graph* graph);

// The table of the functions above and the kernels.
const PolydomainCudaApi& api();

}  // namespace polydomain::cuda
