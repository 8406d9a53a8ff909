#pragma once

// The grid of a kernel on the CPU. Blocks run one after the other. The threads of a block do so
// too, unless they work together (team.cpp).

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>

#include "../stream.h"

namespace polydomain::cuda {

// Calls body(index) for so many threads that work together, and returns when all have.
void runTogether(int threads, const std::function<void(int)>& body);

// Where such a thread waits for the others.
void awaitOthers();

struct Thread {
  int index;      // within its block
  int64_t block;  // within the grid
  int64_t blocks;
  void barrier() const { awaitOthers(); }
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
    runTogether(Kernel::kThreads, [&](int index) {
      for (int64_t block = 0; block < blocks; ++block) {
        // A new block finds garbage in its shared memory: here NaNs.
        awaitOthers();
        if (index == 0) std::memset(static_cast<void*>(shared.get()), 0xff, sizeof(Shared));
        awaitOthers();
        kernel(Thread{index, block, blocks}, *shared);
      }
    });
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
