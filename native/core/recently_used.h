#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <utility>

namespace polydomain {

// Values by key. Those used least recently go when all together take more than `budget` bytes; the
// one used last stays, whatever it takes.
template <typename Key, typename Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(int64_t budget) : budget_(budget) {}

  // Null: there is none. Pointers stay valid until their value goes.
  Value* find(const Key& key) {
    const auto place = places_.find(key);
    if (place == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, place->second);
    return &entries_.front().value;
  }

  // Of a key that is not there.
  Value* add(Key key, Value value, int64_t bytes) {
    entries_.push_front({key, std::move(value), bytes});
    places_[std::move(key)] = entries_.begin();
    bytes_ += bytes;
    while (bytes_ > budget_ && entries_.size() > 1) {
      bytes_ -= entries_.back().bytes;
      places_.erase(entries_.back().key);
      entries_.pop_back();
    }
    return &entries_.front().value;
  }

  void clear() {
    places_.clear();
    entries_.clear();
    bytes_ = 0;
  }

  int64_t bytes() const { return bytes_; }

 private:
  struct Entry {
    Key key;
    Value value;
    int64_t bytes;
  };
  const int64_t budget_;
  std::list<Entry> entries_;  // that used last is the first
  std::map<Key, typename std::list<Entry>::iterator> places_;
  int64_t bytes_ = 0;
};

}  // namespace polydomain
