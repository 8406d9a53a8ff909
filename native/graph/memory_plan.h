#pragma once

#include <cstdint>
#include <vector>

#include "polydomain/graph.h"

namespace polydomain {

// Where scratch values live: offsets in floats into one buffer, shared by values whose lifetimes do
// not meet.
struct MemoryPlan {
  static constexpr int64_t kElsewhere = -1;
  std::vector<int64_t> offsets;  // by value; kElsewhere when not in scratch memory
  int64_t floats = 0;
};

// Plans for `rows` run-time rows. `placed[v]`: the value lives elsewhere; `kept`: values that are
// read after the run.
MemoryPlan planMemory(const Graph& graph, const std::vector<bool>& placed,
                      const std::vector<ValueId>& kept, int64_t rows);

// Elements of a value with `rows` run-time rows.
int64_t elementsOf(const Shape& shape, int64_t rows);

}  // namespace polydomain
