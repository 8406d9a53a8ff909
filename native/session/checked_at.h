#pragma once

#include <string>
#include <utility>

#include "polydomain/error.h"

namespace polydomain {

// items[index]; throws Error(kConfig) that names `what` for an index that there is not.
template <typename Items, typename Index>
auto& at(Items& items, Index index, const char* what) {
  if (std::cmp_less(index, 0) || std::cmp_greater_equal(index, items.size())) {
    throw Error(ErrorKind::kConfig, std::string(what) + " " + std::to_string(index) +
                                        " is unknown; there are " + std::to_string(items.size()));
  }
  return items[static_cast<size_t>(index)];
}

}  // namespace polydomain
