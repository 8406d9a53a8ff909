#include "polydomain/tensor.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
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

int64_t elementCount(std::span<const int64_t> sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return count;
}

int64_t TensorView::rowSize() const {
  return shape.empty() ? 1 : elementCount(std::span(shape).subspan(1));
}

namespace {

constexpr size_t kAlignment = 64;
// From here on memory comes as pages that stay unwritten, hence free, until they are touched.
constexpr size_t kMapped = size_t{1} << 20;

void preferHugePages(void* data, size_t bytes) {
#ifdef MADV_HUGEPAGE
  ::madvise(data, bytes, MADV_HUGEPAGE);
#endif
}

void* obtain(size_t bytes) {
  if (bytes >= kMapped) {
    void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    preferHugePages(data, bytes);
    return data;
  }
  void* data = ::operator new (bytes == 0 ? 1 : bytes, std::align_val_t{kAlignment});
  std::memset(data, 0, bytes);
  return data;
}

void giveBack(void* data, size_t bytes) {
  if (bytes >= kMapped) {
    ::munmap(data, bytes);
  } else {
    ::operator delete (data, std::align_val_t{kAlignment});
  }
}

// Pages move instead of their content, where the system can do that.
void* remapped(void* data, size_t before, size_t after) {
#ifdef __linux__
  if (before < kMapped || after < kMapped) return nullptr;
  void* moved = ::mremap(data, before, after, MREMAP_MAYMOVE);
  if (moved == MAP_FAILED) return nullptr;
  preferHugePages(moved, after);
  // What an earlier shrinking left behind the end of the last page.
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t rest = std::min(after, (before + page - 1) / page * page);
  if (rest > before) std::memset(static_cast<char*>(moved) + before, 0, rest - before);
  return moved;
#else
  (void)data, (void)before, (void)after;
  return nullptr;
#endif
}

}  // namespace

std::shared_ptr<Storage> Storage::allocate(size_t bytes) {
  std::shared_ptr<Storage> storage(new Storage);  // NOLINT: the constructor is private
  storage->data_ = obtain(bytes);
  storage->bytes_ = bytes;
  return storage;
}

void Storage::resize(size_t bytes) {
  void* data = remapped(data_, bytes_, bytes);
  if (data == nullptr) {
    data = obtain(bytes);
    const size_t kept = std::min(bytes, bytes_);
    if (kept > 0) std::memcpy(data, data_, kept);
    giveBack(data_, bytes_);
  }
  data_ = data;
  bytes_ = bytes;
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
  giveBack(data_, bytes_);
}

}  // namespace polydomain
