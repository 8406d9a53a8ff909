#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace polydomain {

enum class DType : uint8_t { kFloat32, kFloat64, kInt32, kUint8 };
size_t sizeOf(DType type);
const char* nameOf(DType type);

// Sizes of a tensor's dimensions. In a graph the leading one may be kRows: the run-time row count.
using Shape = std::vector<int64_t>;
inline constexpr int64_t kRows = -1;
std::string toString(const Shape& shape);              // "[rows, 3]"
int64_t elementCount(std::span<const int64_t> sizes);  // of dimensions without kRows

// Memory of tensors: 64-byte aligned and zeroed when owned; or external memory that lives until
// the owner's deleter runs. Shared by every tensor and view on it.
class Storage {
 public:
  static std::shared_ptr<Storage> allocate(size_t bytes);  // throws std::bad_alloc
  static std::shared_ptr<Storage> external(void* data, size_t bytes, std::shared_ptr<void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  // Of owned memory: what fits stays, what comes is zeroed, and data() may change.
  void resize(size_t bytes);  // throws std::bad_alloc

 private:
  Storage() = default;
  void* data_ = nullptr;
  size_t bytes_ = 0;
  std::shared_ptr<void> owner_;  // null: data_ is ours
};

// What a kernel sees: contiguous row-major memory, dimensions resolved. For values inside a wider
// buffer (a field inside a concatenation), `rowStride` is the distance of two rows in elements;
// it equals the product of the inner dimensions otherwise.
struct TensorView {
  void* data = nullptr;
  DType type = DType::kFloat32;
  Shape shape;
  int64_t rowStride = 0;

  float* f32() const { return static_cast<float*>(data); }
  int32_t* i32() const { return static_cast<int32_t*>(data); }
  int64_t size() const { return elementCount(shape); }
  // Elements of one index of the leading dimension.
  int64_t rowSize() const;
};

}  // namespace polydomain
