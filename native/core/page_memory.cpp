#include "page_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

namespace polydomain {

namespace {

class PageMemory : public std::pmr::memory_resource {
 private:
  // Kept are as many pages as are in use, and these at least.
  static constexpr size_t kAlwaysKept = 32;

  static constexpr size_t kSmall = kPage / 2;

  void* do_allocate(size_t bytes, size_t alignment) override {
    if (bytes <= kSmall) return ::operator new (bytes, std::align_val_t{alignment});
    if (bytes > kPage) return map(pagesOf(bytes));
    const std::lock_guard lock(mutex_);
    // Room to keep this page at its return, which may not fail.
    kept_.reserve(kept_.size() + used_ + 1);
    void* page = nullptr;
    if (kept_.empty()) {
      page = map(kPage);
    } else {
      page = kept_.back();
      kept_.pop_back();
    }
    ++used_;
    return page;
  }

  void do_deallocate(void* data, size_t bytes, size_t alignment) override {
    if (bytes <= kSmall) return ::operator delete (data, std::align_val_t{alignment});
    if (bytes > kPage) {
      ::munmap(data, pagesOf(bytes));
      return;
    }
    const std::lock_guard lock(mutex_);
    --used_;
    kept_.push_back(data);
    while (kept_.size() > used_ + kAlwaysKept) {
      ::munmap(kept_.back(), kPage);
      kept_.pop_back();
    }
  }

  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  static size_t pagesOf(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

  // Aligned to kPage, so that the system can give huge pages.
  static void* map(size_t bytes) {
    void* area =
        ::mmap(nullptr, bytes + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) throw std::bad_alloc();
    auto* begin = static_cast<char*>(area);
    const size_t before = (kPage - reinterpret_cast<uintptr_t>(begin) % kPage) % kPage;
    if (before > 0) ::munmap(begin, before);
    ::munmap(begin + before + bytes, kPage - before);
#ifdef MADV_HUGEPAGE
    ::madvise(begin + before, bytes, MADV_HUGEPAGE);
#endif
    return begin + before;
  }

  std::mutex mutex_;
  std::vector<void*> kept_;
  size_t used_ = 0;
};

}  // namespace

std::pmr::memory_resource* pageMemory() {
  // Lives as long as anything may give back to it.
  static auto* memory = new PageMemory;  // NOLINT
  return memory;
}

}  // namespace polydomain
