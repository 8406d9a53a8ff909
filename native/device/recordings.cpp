#include "recordings.h"

#include <algorithm>

namespace polydomain {

Recordings::~Recordings() {
  for (const Recording& recording : recordings_) device_.forget(recording.graph);
}

Recordings::Recording& Recordings::find(const std::vector<uintptr_t>& key) {
  auto found = std::ranges::find(recordings_, key, &Recording::key);
  if (found == recordings_.end()) {
    if (recordings_.size() == kMost) {
      device_.forget(recordings_.front().graph);
      recordings_.erase(recordings_.begin());
    }
    recordings_.push_back({key});
  } else {
    std::rotate(found, found + 1, recordings_.end());
  }
  return recordings_.back();
}

}  // namespace polydomain
