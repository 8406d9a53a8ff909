#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "polydomain/session.h"

namespace polydomain {

// Rows of a file on their way through memory: one window of them after another. A thread reads the
// next window while the caller is at work on one, so that two are held.
class RowStream {
 public:
  // Which rows, and in what order. The functions run on the thread that reads.
  struct Plan {
    int64_t windows = 0;
    // The rows of a window, in any order.
    std::function<std::vector<RowRange>(int64_t index)> ranges;
    // Fills the order in which a window's rows are taken; none: nobody asks for it.
    std::function<void(int64_t index, const SplitData& rows, std::vector<int32_t>& order)> shuffle;
    // Of the split, for windows that tell whose rows are whose.
    std::span<const int64_t> domainOffsets;
  };
  struct Window {
    SplitData rows;              // in the order in which the file has them
    std::vector<int32_t> order;  // by the plan's shuffle
  };

  RowStream() = default;
  ~RowStream() { finish(); }
  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;

  void begin(std::shared_ptr<const RowFile> file, Plan plan);
  // Waits for what is being read, and forgets it: the plan is not used from here on.
  void finish();
  // Valid until another one is asked for. Throws what RowFile::read() throws.
  const Window& window(int64_t index);

 private:
  struct Slot {
    int64_t index = -1;  // of its window; -1: none
    std::future<void> reading;
    RowBuffer buffer;
    Window window;
  };

  void load(int64_t index, Slot& slot) const;
  std::shared_ptr<const RowFile> file_;
  Plan plan_;
  std::array<Slot, 2> slots_;
};

// The rows of a range from first to last.
RowStream::Plan consecutive(RowRange range, int64_t windowRows);

// `count` rows of the blocks from their row `first` on, or as many as there are.
std::vector<RowRange> slice(std::span<const RowRange> blocks, int64_t first, int64_t count);

}  // namespace polydomain
