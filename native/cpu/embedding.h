#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "core/page_memory.h"
#include "polydomain/thread_pool.h"

namespace polydomain::cpu {

// out[r * outStride ..] = table row ids[r] of `dim` elements. Ids are within the table.
void gatherRows(const float* table, int64_t dim, std::span<const int32_t> ids, float* out,
                int64_t outStride);

// What a bag makes of its rows.
enum class Pooling : uint8_t { kSum, kMean };

// Ids of the bags of a batch: `width` each, those that a bag does not have being -1.
inline constexpr int32_t kNoId = -1;

// out[r * outStride ..] = sum or mean of the table rows of bag r, added up in their order; zeros
// for an empty bag. Ids are within the table or kNoId.
void poolRows(const float* table, int64_t dim, std::span<const int32_t> ids, int64_t width,
              Pooling pooling, float* out, int64_t outStride);

// out row r [dim] = in row r (`inStride` apart) divided by the size of bag r; zeros for an empty
// one.
void divideByBagSize(const float* in, int64_t inStride, int64_t dim, std::span<const int32_t> ids,
                     int64_t width, float* out);

// Ids over a table, `perRow` for each row of the gradient that belongs to them.
struct IdList {
  std::span<const int32_t> ids;
  int64_t perRow = 1;
};

// The distinct ids in several id lists over one table, each with the places it stands at. A stamp
// per table row replaces sorting; all memory is kept between calls. Not thread-safe.
class UniqueIds {
 public:
  struct Position {
    int32_t list;
    int32_t row;  // of that list's gradient
    bool operator==(const Position&) const = default;
  };

  // `tableRows` bounds the ids and may grow between calls. O(ids), whatever the table's size,
  // except when the table has grown. Ids are within the table or kNoId, which stands for none;
  // fewer than 2^31 in all.
  void build(int64_t tableRows, std::span<const IdList> lists);

  int64_t size() const { return static_cast<int64_t>(unique_); }
  // In order of first appearance: list by list, row by row.
  std::span<const int32_t> ids() const { return {ids_.data(), unique_}; }
  // For each occurrence of an id, in their order: its index in ids().
  std::span<const int32_t> uniqueOf() const { return {uniqueOf_.data(), occurrences_}; }
  // Where ids()[unique] stands, in ascending order of list, then row.
  std::span<const Position> positions(int64_t unique) const {
    const auto u = static_cast<size_t>(unique);
    return {positions_.data() + offsets_[u], positions_.data() + offsets_[u + 1]};
  }
  // Those of all ids one after the other, and the size() + 1 borders between them.
  std::span<const Position> positions() const { return {positions_.data(), occurrences_}; }
  std::span<const int32_t> offsets() const {
    return {offsets_.data(), offsets_.empty() ? 0 : unique_ + 1};
  }

 private:
  // By table row: base_ + its index in ids(). What earlier builds left is below base_.
  std::pmr::vector<uint32_t> stamps_{pageMemory()};
  uint32_t base_ = 1;
  size_t unique_ = 0, occurrences_ = 0;
  // With room for every occurrence of the largest build:
  std::vector<int32_t> ids_;
  std::vector<int32_t> uniqueOf_;  // by occurrence, kNoId's left out
  std::vector<int32_t> offsets_;   // size() + 1 borders in positions_
  std::vector<Position> positions_;
};

// Row r of list l of a gradient is data + r * stride.
struct RowGradient {
  const float* data;
  int64_t stride;
};

// For each unique id u in [begin, end): out[(u - begin) * outStride ..] = the sum of its rows of
// `dim` elements, taken in the order of its positions. gradients[l] belongs to id list l.
void sumRows(const UniqueIds& unique, std::span<const RowGradient> gradients, int64_t dim,
             int64_t begin, int64_t end, float* out, int64_t outStride);

}  // namespace polydomain::cpu
