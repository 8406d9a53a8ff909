#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <string>
#include <vector>

namespace polydomain {

// Memory in a mapped file, for domains' values that together are larger than memory. The file is
// managed in windows: those used last stay resident up to a budget, and the pages of the others go
// back to the system, which reads them from the file when they are next touched. So what is
// resident decides on speed alone, never on a value. Thread-safe.
class SpillFile {
 public:
  // The file is made at the first allocation and has no name, so that nothing is left of it.
  SpillFile(std::string folder, int64_t budget);
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  // What one domain holds. Outlives the containers that allocate from it.
  class Part : public std::pmr::memory_resource {
   public:
    explicit Part(std::shared_ptr<SpillFile> file) : file_(std::move(file)) {}
    // Announces that it is about to be read or written.
    void use();

   private:
    void* do_allocate(size_t bytes, size_t alignment) override;
    void do_deallocate(void* data, size_t bytes, size_t alignment) override;
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
      return this == &other;
    }

    struct Block {
      void* data;
      int64_t offset, bytes;  // in the file
    };
    std::shared_ptr<SpillFile> file_;
    std::vector<Block> blocks_;
    friend class SpillFile;
  };

  int64_t bytes() const;          // of the file
  int64_t residentBytes() const;  // of the windows that may have pages in memory

 private:
  // What the system brings in around a page that is read, so that it counts for its users.
  static constexpr int64_t kWindow = 64 << 10;

  struct Chunk {
    char* data;
    int64_t offset, bytes;
  };
  // A list of the resident windows, in the order of their use.
  struct Window {
    int64_t before = kNone, after = kNone;
    bool resident = false;
  };
  static constexpr int64_t kNone = -1;

  Part::Block take(int64_t bytes);
  void grow(int64_t bytes);
  void use(const Part::Block& block);
  void unlink(int64_t window);
  void evict();
  void advise(int64_t window, int advice) const;

  const std::string folder_;
  const int64_t budget_;
  mutable std::mutex mutex_;
  int file_ = -1;
  int64_t size_ = 0;
  std::vector<Chunk> chunks_;
  int64_t next_ = 0;                                  // in the last chunk: where the unused begins
  std::map<int64_t, std::vector<Part::Block>> free_;  // by size
  std::vector<Window> windows_;
  int64_t newest_ = kNone, oldest_ = kNone, resident_ = 0;
};

}  // namespace polydomain
