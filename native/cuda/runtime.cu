// The runtime's functions on a device, and the plugin's exported one.

#include <cuda_runtime.h>

#include <cstring>
#include <string>

#include "api.h"
#include "polydomain/error.h"

struct PolydomainCudaGraph {
  cudaGraphExec_t graph = nullptr;
};

namespace polydomain::cuda {

namespace {

// What a thread calls is of the device that it chose last.
void choose(const Stream* stream) { check(cudaSetDevice(stream->device), "choosing the device"); }

template <class Allocate>
void* obtain(Stream* stream, size_t bytes, const char* unit, const Allocate& allocate) {
  if (bytes == 0) return nullptr;
  choose(stream);
  void* memory = nullptr;
  const cudaError_t error = allocate(&memory);
  if (error != cudaSuccess) cudaGetLastError();  // else the next launch would report it again
  check(error, ("allocating " + std::to_string(bytes) + unit).c_str());
  return memory;
}

// Once nothing that is queued may use it.
template <class Free>
void giveBack(Stream* stream, const Free& free) {
  choose(stream);
  const cudaError_t error = cudaStreamSynchronize(stream->queue);
  free();
  check(error, "waiting for a stream");
}

}  // namespace

void check(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return;
  throw Error(ErrorKind::kDevice, std::string("CUDA failed at ") + doing + ": " +
                                      cudaGetErrorName(error) + ", " + cudaGetErrorString(error));
}

int32_t deviceCount() {
  int count = 0;
  check(cudaGetDeviceCount(&count), "counting the devices");
  return count;
}

PolydomainCudaDevice deviceInfo(int32_t device) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "reading a device's properties");
  int version = 0;
  check(cudaDriverGetVersion(&version), "reading the driver's version");
  PolydomainCudaDevice info{};
  std::memcpy(info.name, properties.name, sizeof info.name);
  info.major = properties.major;
  info.minor = properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.driverVersion = version;
  info.cublasLt = Blas::open() != nullptr;
  info.memory = properties.totalGlobalMem;
  info.cache = static_cast<uint64_t>(properties.l2CacheSize);
  return info;
}

Stream* createStream(int32_t device) {
  auto stream = std::make_unique<Stream>();
  stream->device = device;
  choose(stream.get());
  check(cudaStreamCreateWithFlags(&stream->queue, cudaStreamNonBlocking), "making a stream");
  const cudaError_t error = cudaMalloc(&stream->workspace, kWorkspaceBytes);
  if (error != cudaSuccess) cudaStreamDestroy(stream->queue);
  check(error, "allocating a stream's memory");
  stream->blas = Blas::open();
  return stream.release();
}

void destroyStream(Stream* stream) {
  const std::unique_ptr<Stream> own(stream);
  choose(stream);
  const cudaError_t error = cudaStreamSynchronize(stream->queue);
  cudaFree(stream->workspace);
  cudaStreamDestroy(stream->queue);
  check(error, "waiting for a stream");
}

void synchronize(Stream* stream) {
  check(cudaStreamSynchronize(stream->queue), "waiting for a stream");
}

void* allocate(Stream* stream, size_t bytes) {
  return obtain(stream, bytes, " bytes", [&](void** memory) { return cudaMalloc(memory, bytes); });
}

void release(Stream* stream, void* memory) {
  giveBack(stream, [&] { cudaFree(memory); });
}

void* allocateHost(Stream* stream, size_t bytes) {
  return obtain(stream, bytes, " bytes of the host",
                [&](void** memory) { return cudaMallocHost(memory, bytes); });
}

void releaseHost(Stream* stream, void* memory) {
  giveBack(stream, [&] { cudaFreeHost(memory); });
}

void copyIn(Stream* stream, void* to, const void* host, size_t bytes) {
  check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, stream->queue),
        "copying to the device");
}

void copyOut(Stream* stream, void* host, const void* from, size_t bytes) {
  check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream->queue),
        "copying from the device");
  synchronize(stream);
}

void copyWithin(Stream* stream, void* to, const void* from, size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream->queue),
        "copying on the device");
}

void zero(Stream* stream, void* memory, size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemsetAsync(memory, 0, bytes, stream->queue), "writing zeros");
}

void beginRecording(Stream* stream) {
  choose(stream);
  check(cudaStreamBeginCapture(stream->queue, cudaStreamCaptureModeThreadLocal), "recording");
}

Graph* endRecording(Stream* stream) {
  cudaGraph_t recorded = nullptr;
  check(cudaStreamEndCapture(stream->queue, &recorded), "ending a recording");
  auto graph = std::make_unique<Graph>();
  const cudaError_t error = cudaGraphInstantiate(&graph->graph, recorded, 0);
  cudaGraphDestroy(recorded);
  check(error, "making a graph of a recording");
  return graph.release();
}

void replay(Stream* stream, Graph* graph) {
  check(cudaGraphLaunch(graph->graph, stream->queue), "replaying a graph");
}

void destroyGraph(Graph* graph) {
  const std::unique_ptr<Graph> own(graph);
  check(cudaGraphExecDestroy(graph->graph), "destroying a graph");
}

}  // namespace polydomain::cuda

extern "C" __attribute__((visibility("default"))) const PolydomainCudaApi* polydomainCudaApi() {
  return &polydomain::cuda::api();
}
