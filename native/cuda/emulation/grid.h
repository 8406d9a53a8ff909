#pragma once

// The grid of a kernel on the CPU. Blocks run one after the other. The threads of a block do so
// too, unless they work together: then each is a thread of its own, so that ThreadSanitizer sees a
// barrier that is missing.

#include <barrier>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "../stream.h"

namespace polydomain::cuda {

struct Thread {
  int index;      // within its block
  int64_t block;  // within the grid
  int64_t blocks;
  std::barrier<>* together = nullptr;
  void barrier() const { together->arrive_and_wait(); }
};

template <class Kernel>
concept Cooperates = requires {
  typename Kernel::Shared;
};

template <class Kernel>
void runGrid(const Kernel& kernel, int64_t blocks) {
  if constexpr (Cooperates<Kernel>) {
    using Shared = typename Kernel::Shared;
    static_assert(sizeof(Shared) <= 48 * 1024, "more shared memory than a block has");
    const auto shared = std::make_unique<Shared>();
    std::barrier<> together(Kernel::kThreads);
    std::vector<std::jthread> threads;
    for (int index = 0; index < Kernel::kThreads; ++index) {
      threads.emplace_back([&, index] {
        for (int64_t block = 0; block < blocks; ++block) {
          // A new block finds garbage in its shared memory: here NaNs.
          together.arrive_and_wait();
          if (index == 0) std::memset(static_cast<void*>(shared.get()), 0xff, sizeof(Shared));
          together.arrive_and_wait();
          kernel(Thread{index, block, blocks, &together}, *shared);
        }
      });
    }
  } else {
    for (int64_t block = 0; block < blocks; ++block) {
      for (int index = 0; index < Kernel::kThreads; ++index) kernel(Thread{index, block, blocks});
    }
  }
}

template <class Kernel>
void launch(Stream& stream, const Kernel& kernel, int64_t blocks) {
  if (blocks == 0) return;
  stream.submit([kernel, blocks] { runGrid(kernel, blocks); });
}

}  // namespace polydomain::cuda
