#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace polydomain {

// What save() writes.
template <typename Saved>
std::string savedBytes(const Saved& saved) {
  std::string bytes;
  saved.save(
      [&](const void* data, size_t count) { bytes.append(static_cast<const char*>(data), count); });
  return bytes;
}

// load() from these bytes, all of them.
template <typename Saved>
void loadBytes(Saved& saved, const std::string& bytes) {
  size_t at = 0;
  saved.load([&](void* data, size_t count) {
    ASSERT_LE(at + count, bytes.size());
    std::copy_n(bytes.data() + at, count, static_cast<char*>(data));
    at += count;
  });
  EXPECT_EQ(at, bytes.size());
}

}  // namespace polydomain
