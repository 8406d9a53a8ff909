#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace polydomain {

// What save() writes.
template <typename Saved>
std::vector<char> savedBytes(const Saved& saved) {
  std::vector<char> bytes;
  saved.save([&](const void* data, size_t count) {
    const auto* from = static_cast<const char*>(data);
    bytes.insert(bytes.end(), from, from + count);
  });
  return bytes;
}

// load() from these bytes, all of them.
template <typename Saved>
void loadBytes(Saved& saved, const std::vector<char>& bytes) {
  size_t at = 0;
  saved.load([&](void* data, size_t count) {
    ASSERT_LE(at + count, bytes.size());
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, static_cast<char*>(data));
    at += count;
  });
  EXPECT_EQ(at, bytes.size());
}

}  // namespace polydomain
