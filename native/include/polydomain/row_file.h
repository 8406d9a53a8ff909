#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace polydomain {

// Consecutive rows of a split.
struct RowRange {
  int64_t begin, count;
};

// Rows in memory of their own: the columns of SplitData.
struct RowBuffer {
  std::vector<std::vector<int32_t>> ids;
  std::vector<std::vector<float>> numbers;
  std::vector<std::vector<int32_t>> offsets, values;  // of the lists
  std::vector<float> labels, weights;
};

// The rows of a split in a file that holds its columns one after another, as little-endian values
// of 4 bytes. Thread-safe.
class RowFile {
 public:
  // Where a column of ids begins, and the number of different ones.
  struct Ids {
    int64_t at;
    int32_t size;
  };
  struct Lists {
    int64_t offsets, values;
    int64_t count;  // of all values
    int32_t size;
  };
  struct Layout {
    int64_t bytes = 0;     // of the whole file
    int64_t modified = 0;  // nanoseconds since 1970
    int64_t rows = 0;
    std::vector<Ids> ids;
    std::vector<int64_t> numbers;
    std::vector<Lists> lists;
    int64_t labels = 0;
    int64_t weights = -1;  // -1: there are none
  };

  // Throws Error(kData) when the file cannot be read or is not the one that the layout tells of.
  RowFile(std::string path, Layout layout);
  ~RowFile();
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;

  const Layout& layout() const { return layout_; }
  // Reads the rows of the ranges, one range after another. Throws Error(kData), which names the
  // place, when the file has changed since it was opened, or holds values that no split may have.
  void read(std::span<const RowRange> ranges, RowBuffer& into) const;

 private:
  void readAt(int64_t at, int64_t count, void* into) const;
  void readLists(const Lists& lists, std::span<const RowRange> ranges,
                 std::vector<int32_t>& offsets, std::vector<int32_t>& values) const;
  void requireUnchanged() const;
  [[noreturn]] void fail(const std::string& what) const;

  const std::string path_;
  const Layout layout_;
  int file_ = -1;
};

}  // namespace polydomain
