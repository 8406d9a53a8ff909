#include "polydomain/tensor.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace polydomain {

size_t sizeOf(DType type) {
  switch (type) {
    case DType::kFloat64:
      return 8;
    case DType::kUint8:
      return 1;
    case DType::kFloat32:
    case DType::kInt32:
      break;
  }
  return 4;
}

const char* nameOf(DType type) {
  switch (type) {
    case DType::kFloat32:
      return "float32";
    case DType::kFloat64:
      return "float64";
    case DType::kInt32:
      return "int32";
    case DType::kUint8:
      break;
  }
  return "uint8";
}

std::string toString(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i] == kRows ? "rows" : std::to_string(shape[i]);
  }
  return text + "]";
}

int64_t elementCount(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

int64_t TensorView::rowSize() const {
  int64_t count = 1;
  for (size_t i = 1; i < shape.size(); ++i) count *= shape[i];
  return count;
}

namespace {

constexpr size_t kAlignment = 64;
// From here on memory comes as pages that stay unwritten, hence free, until they are touched.
constexpr size_t kMapped = size_t{1} << 20;

}  // namespace

std::shared_ptr<Storage> Storage::allocate(size_t bytes) {
  std::shared_ptr<Storage> storage(new Storage);  // NOLINT: the constructor is private
  storage->bytes_ = bytes;
  if (bytes >= kMapped) {
    void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    ::madvise(data, bytes, MADV_HUGEPAGE);
#endif
    storage->data_ = data;
  } else {
    storage->data_ = ::operator new (bytes == 0 ? 1 : bytes, std::align_val_t{kAlignment});
    std::memset(storage->data_, 0, bytes);
  }
  return storage;
}

std::shared_ptr<Storage> Storage::external(void* data, size_t bytes, std::shared_ptr<void> owner) {
  std::shared_ptr<Storage> storage(new Storage);  // NOLINT: the constructor is private
  storage->data_ = data;
  storage->bytes_ = bytes;
  storage->owner_ = std::move(owner);
  return storage;
}

Storage::~Storage() {
  if (owner_ || data_ == nullptr) return;
  if (bytes_ >= kMapped) {
    ::munmap(data_, bytes_);
  } else {
    ::operator delete (data_, std::align_val_t{kAlignment});
  }
}

}  // namespace polydomain
