#pragma once

#include <cstddef>
#include <memory_resource>

namespace polydomain {

// The size in which values of units come from pageMemory(): that of a huge page.
inline constexpr size_t kPage = size_t{2} << 20;

// Memory of the process for values that are read in no order: huge pages for what is larger than
// half of one. Single ones are kept when they are given back, as the system has to clear fresh
// ones first; they are no more than those in use, and a few. Thread-safe.
std::pmr::memory_resource* pageMemory();

}  // namespace polydomain
