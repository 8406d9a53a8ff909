#pragma once

#include <cstdint>
#include <span>

#include "embedding.h"
#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// The rows of a batch by an id that many of them share, as all rows of a domain do: group g has the
// rows of the id that is the g-th to appear. All memory is kept between calls. Not thread-safe.
class RowGroups {
 public:
  // One id >= 0 for each row; one row at least.
  void build(std::span<const int32_t> ids);

  int64_t size() const { return single_ ? 1 : unique_.size(); }
  // The row at which a group begins.
  int64_t firstRow(int64_t group) const { return single_ ? 0 : unique_.positions(group)[0].row; }
  // The group of each row; null where there is but one.
  const int32_t* groupOfRows() const { return single_ ? nullptr : unique_.uniqueOf().data(); }

  // out [size(), width], row g = sum of the rows of group g of x [rows, width].
  void sum(ThreadPool& pool, const float* x, int64_t width, float* out) const;

 private:
  int64_t rows_ = 0;
  bool single_ = true;
  UniqueIds unique_;  // when there are several
};

}  // namespace polydomain::cpu
