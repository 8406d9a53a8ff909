// The runtime's functions on the CPU: memory is the heap, every piece a block of its own, so that
// AddressSanitizer sees what a kernel reads beside it.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "../api.h"

struct PolydomainCudaGraph {
  std::vector<std::function<void()>> work;
};

namespace polydomain::cuda {

namespace {

// Null for no bytes, as CUDA has it.
void* allocateBytes(size_t bytes) {
  if (bytes == 0) return nullptr;
  constexpr size_t kAlignment = 256;  // CUDA's
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, bytes) != 0) throw std::bad_alloc();
  std::memset(memory, 0xff, bytes);  // NaNs: nothing may count on zeros
  return memory;
}

}  // namespace

int32_t deviceCount() { return 1; }

PolydomainCudaDevice deviceInfo(int32_t) {
  PolydomainCudaDevice device{};
  std::snprintf(device.name, sizeof device.name, "emulation");
  device.multiprocessors = 1;
  return device;
}

Stream* createStream(int32_t) {
  auto stream = std::make_unique<Stream>();
  stream->workspace = allocateBytes(kWorkspaceBytes);
  return stream.release();
}

void destroyStream(Stream* stream) {
  std::free(stream->workspace);
  delete stream;
}

void synchronize(Stream*) {}

void* allocate(Stream*, size_t bytes) { return allocateBytes(bytes); }

void release(Stream*, void* memory) { std::free(memory); }

void* allocateHost(Stream*, size_t bytes) { return allocateBytes(bytes); }

void releaseHost(Stream*, void* memory) { std::free(memory); }

void copyIn(Stream* stream, void* to, const void* host, size_t bytes) {
  copyWithin(stream, to, host, bytes);
}

void copyOut(Stream* stream, void* host, const void* from, size_t bytes) {
  copyWithin(stream, host, from, bytes);
}

void copyWithin(Stream* stream, void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  stream->submit([=] { std::memcpy(to, from, bytes); });
}

void zero(Stream* stream, void* memory, size_t bytes) {
  if (bytes == 0) return;
  stream->submit([=] { std::memset(memory, 0, bytes); });
}

void beginRecording(Stream* stream) {
  stream->recording = std::make_unique<std::vector<std::function<void()>>>();
}

Graph* endRecording(Stream* stream) {
  return new Graph{std::move(*std::exchange(stream->recording, nullptr))};
}

void replay(Stream*, Graph* graph) {
  for (const std::function<void()>& work : graph->work) work();
}

void destroyGraph(Graph* graph) { delete graph; }

}  // namespace polydomain::cuda
