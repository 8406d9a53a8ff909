#pragma once

#include <cstdint>
#include <vector>

namespace polydomain::cpu {

// Memory that a thread keeps between calls, for at least `count` values, which hold anything. It
// never shrinks: what a vector takes back it fills with zeros.
template <typename Value>
Value* atLeast(std::vector<Value>& memory, int64_t count) {
  if (std::ssize(memory) < count) memory.resize(static_cast<size_t>(count));
  return memory.data();
}

}  // namespace polydomain::cpu
