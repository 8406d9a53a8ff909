#pragma once

#include <vector>

#include "polydomain/device.h"

namespace polydomain {

// Work that is queued on a device again and again is recorded: replaying it costs the host a small
// part of queueing its kernels one by one.
class Recordings {
 public:
  explicit Recordings(const Device& device) : device_(device) {}
  ~Recordings();
  Recordings(const Recordings&) = delete;
  Recordings& operator=(const Recordings&) = delete;

  // Queues what `work` queues, of which every kernel and argument follows from `key`. By the next
  // call the device has to have been waited for.
  template <typename Work>
  void run(const std::vector<uintptr_t>& key, const Work& work) {
    Recording& own = find(key);
    if (own.graph == nullptr && ++own.calls < kRecordedCall) return work();
    if (own.graph == nullptr) own.graph = device_.record(work);
    device_.replay(own.graph);
  }

 private:
  static constexpr size_t kMost = 16;
  // Sizes that come once or twice, as that of a domain's last batch, are not worth it.
  static constexpr int kRecordedCall = 3;
  struct Recording {
    std::vector<uintptr_t> key;
    int calls = 0;
    PolydomainCudaGraph* graph = nullptr;
  };

  // In the place of the one not used for longest, if there are too many; it becomes the last.
  Recording& find(const std::vector<uintptr_t>& key);

  const Device& device_;
  std::vector<Recording> recordings_;
};

}  // namespace polydomain
