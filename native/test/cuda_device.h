#pragma once

// What the tests of the CUDA kernels share. They run twice: against the emulation (ctest), and,
// where there is a device, against the plugin (cuda_device_tests).

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "polydomain/cuda_api.h"
#include "polydomain/random.h"

namespace polydomain {

// The functions under test.
const PolydomainCudaApi& cudaApi();

inline void succeed(int status) {
  if (status != 0) throw std::runtime_error(cudaApi().lastError());
}

class CudaStream {
 public:
  CudaStream() { succeed(cudaApi().createStream(0, &stream_)); }
  ~CudaStream() { cudaApi().destroyStream(stream_); }
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  operator PolydomainCudaStream*() const { return stream_; }

 private:
  PolydomainCudaStream* stream_ = nullptr;
};

// Memory of the device.
template <class T>
class CudaArray {
 public:
  // `skipped` elements lie before the first, so that it is not aligned.
  CudaArray(PolydomainCudaStream* stream, const std::vector<T>& values, size_t skipped = 0)
      : stream_(stream), size_(values.size()), skipped_(skipped) {
    if (size_ == 0) return;
    succeed(cudaApi().allocate(stream_, (size_ + skipped_) * sizeof(T), &memory_));
    write(values);
  }
  CudaArray(PolydomainCudaStream* stream, T value) : CudaArray(stream, std::vector<T>{value}) {}
  ~CudaArray() { cudaApi().release(stream_, memory_); }
  CudaArray(const CudaArray&) = delete;
  CudaArray& operator=(const CudaArray&) = delete;

  T* data() const { return size_ == 0 ? nullptr : static_cast<T*>(memory_) + skipped_; }
  void write(const std::vector<T>& values) {
    succeed(cudaApi().copyIn(stream_, data(), values.data(), size_ * sizeof(T)));
    succeed(cudaApi().synchronize(stream_));
  }
  std::vector<T> read() const {
    std::vector<T> values(size_);
    succeed(cudaApi().copyOut(stream_, values.data(), data(), size_ * sizeof(T)));
    return values;
  }

 private:
  PolydomainCudaStream* stream_;
  size_t size_, skipped_;
  void* memory_ = nullptr;
};

// Uniform in [-1, 1); another sequence for every `sequence`.
inline std::vector<float> randomFloats(int64_t count, uint64_t sequence) {
  std::vector<float> values(static_cast<size_t>(count));
  fillUniform({1, 2, sequence}, 0, count, -1.0f, 1.0f, values.data());
  return values;
}

// `count` different rows of a table of `rows`, in no order.
inline std::vector<int32_t> distinctRows(int64_t rows, int64_t count) {
  std::vector<int32_t> ids(static_cast<size_t>(rows));
  fillPermutation({3, 4, 5}, rows, ids.data());
  ids.resize(static_cast<size_t>(count));
  return ids;
}

}  // namespace polydomain
