#pragma once

#include <atomic>
#include <cstdint>

#include "core/wait.h"

namespace polydomain {

// Pieces that several threads take in their order, of whose work a part has to be done in it.
class Turns {
 public:
  // A piece's turn. It is passed on when the part is done, or else at the piece's end, so that
  // nobody waits for one that failed.
  class Turn {
   public:
    Turn(Turns& turns, int64_t piece) : turns_(turns), piece_(piece) {}
    ~Turn() {
      if (!passed_) take([] {});
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    // Calls part() once all pieces before this one had their turns.
    template <typename Part>
    void take(const Part& part) {
      waitUntil([&] { return turns_.next_.load(std::memory_order_acquire) == piece_; });
      part();
      passed_ = true;
      turns_.next_.store(piece_ + 1, std::memory_order_release);
    }

   private:
    Turns& turns_;
    int64_t piece_;
    bool passed_ = false;
  };

 private:
  std::atomic<int64_t> next_ = 0;
};

}  // namespace polydomain
