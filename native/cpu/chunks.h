#pragma once

#include <algorithm>
#include <cstdint>

#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// Work per chunk of the memory-bound kernels. Chunks follow from sizes alone, so results do not
// depend on the number of threads.
inline constexpr int64_t kChunkElements = 16384;

constexpr int64_t chunkCount(int64_t count, int64_t perChunk) {
  return (count + perChunk - 1) / perChunk;
}

// Rows of `width` elements that make up about one chunk.
constexpr int64_t rowsPerChunk(int64_t width) {
  return std::max<int64_t>(1, kChunkElements / std::max<int64_t>(1, width));
}

// Calls body(begin, end) for the ranges of `perChunk` that cover [0, count).
template <typename Body>
void forChunks(ThreadPool& pool, int64_t count, int64_t perChunk, Body&& body) {
  if (count <= 0) return;
  if (count <= perChunk) return body(int64_t{0}, count);
  pool.parallelFor(chunkCount(count, perChunk), [&](int64_t chunk, int) {
    body(chunk * perChunk, std::min(count, (chunk + 1) * perChunk));
  });
}

}  // namespace polydomain::cpu
