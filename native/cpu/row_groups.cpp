#include "row_groups.h"

#include <algorithm>

#include "chunks.h"
#include "reduce.h"

namespace polydomain::cpu {

void RowGroups::build(std::span<const int32_t> ids) {
  rows_ = static_cast<int64_t>(ids.size());
  single_ = std::ranges::all_of(ids, [&](int32_t id) { return id == ids.front(); });
  if (single_) return;
  const IdList list{ids};
  unique_.build(int64_t{std::ranges::max(ids)} + 1, std::span(&list, 1));
}

void RowGroups::sum(ThreadPool& pool, const float* x, int64_t width, float* out) const {
  if (single_) return sumMiddle(pool, x, 1, rows_, width, 1.0, out);
  const RowGradient from{x, width};
  const int64_t rowsOfGroup = chunkCount(rows_, size());
  forChunks(pool, size(), rowsPerChunk(width * rowsOfGroup), [&](int64_t begin, int64_t end) {
    sumRows(unique_, std::span(&from, 1), width, begin, end, out + begin * width, width);
  });
}

}  // namespace polydomain::cpu
