#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "embedding.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <algorithm>
#include <limits>

#include "embedding.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polydomain::cpu {
namespace HWY_NAMESPACE {

void gather(const float* table, int64_t dim, const int32_t* ids, int64_t count, float* out,
            int64_t outStride) {
  // Rows of a large table miss every cache: ask for them this many rows ahead.
  constexpr int64_t kAhead = 16;
  constexpr int64_t kLineElements = 16;
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < count; ++r, out += outStride) {
    if (r + kAhead < count) {
      const float* later = table + ids[r + kAhead] * dim;
      for (int64_t c = 0; c < dim; c += kLineElements) __builtin_prefetch(later + c);
    }
    const float* from = table + ids[r] * dim;
    int64_t c = 0;
    for (; c + lanes <= dim; c += lanes) hn::StoreU(hn::LoadU(d, from + c), d, out + c);
    for (; c < dim; ++c) out[c] = from[c];
  }
}

// out[c] = sum over positions; one pass per group of columns keeps the sums in registers.
void sumPositions(const UniqueIds::Position* positions, int64_t count, const RowGradient* gradients,
                  int64_t dim, float* out) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto row = [&](int64_t p) HWY_ATTR {
    const RowGradient& from = gradients[positions[p].list];
    return from.data + positions[p].row * from.stride;
  };
  int64_t c = 0;
  for (; c + 4 * lanes <= dim; c += 4 * lanes) {
    const float* first = row(0) + c;
    auto s0 = hn::LoadU(d, first);
    auto s1 = hn::LoadU(d, first + lanes);
    auto s2 = hn::LoadU(d, first + 2 * lanes);
    auto s3 = hn::LoadU(d, first + 3 * lanes);
    for (int64_t p = 1; p < count; ++p) {
      const float* from = row(p) + c;
      s0 = hn::Add(s0, hn::LoadU(d, from));
      s1 = hn::Add(s1, hn::LoadU(d, from + lanes));
      s2 = hn::Add(s2, hn::LoadU(d, from + 2 * lanes));
      s3 = hn::Add(s3, hn::LoadU(d, from + 3 * lanes));
    }
    hn::StoreU(s0, d, out + c);
    hn::StoreU(s1, d, out + c + lanes);
    hn::StoreU(s2, d, out + c + 2 * lanes);
    hn::StoreU(s3, d, out + c + 3 * lanes);
  }
  for (; c + lanes <= dim; c += lanes) {
    auto s = hn::LoadU(d, row(0) + c);
    for (int64_t p = 1; p < count; ++p) s = hn::Add(s, hn::LoadU(d, row(p) + c));
    hn::StoreU(s, d, out + c);
  }
  if (c < dim) {
    auto s = loadTail(d, row(0) + c, dim - c);
    for (int64_t p = 1; p < count; ++p) s = hn::Add(s, loadTail(d, row(p) + c, dim - c));
    storeTail(d, s, out + c, dim - c);
  }
}

// out = (sum of the table rows `ids`) * scale.
void poolBag(const float* table, int64_t dim, const int32_t* ids, int64_t count, float scale,
             float* out) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  int64_t c = 0;
  for (; c + lanes <= dim; c += lanes) {
    auto s = hn::LoadU(d, table + ids[0] * dim + c);
    for (int64_t i = 1; i < count; ++i) s = hn::Add(s, hn::LoadU(d, table + ids[i] * dim + c));
    hn::StoreU(hn::Mul(s, factor), d, out + c);
  }
  if (c < dim) {
    auto s = loadTail(d, table + ids[0] * dim + c, dim - c);
    for (int64_t i = 1; i < count; ++i) {
      s = hn::Add(s, loadTail(d, table + ids[i] * dim + c, dim - c));
    }
    storeTail(d, hn::Mul(s, factor), out + c, dim - c);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace polydomain::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polydomain::cpu {

HWY_EXPORT(gather);
HWY_EXPORT(sumPositions);
HWY_EXPORT(poolBag);

namespace {

// Ids ahead of which their stamps are asked for.
constexpr size_t kAhead = 16;

void ownIds(const int32_t* ids, int64_t width, std::vector<int32_t>& own) {
  own.clear();
  for (int64_t i = 0; i < width; ++i) {
    if (ids[i] != kNoId) own.push_back(ids[i]);
  }
}

}  // namespace

void gatherRows(const float* table, int64_t dim, std::span<const int32_t> ids, float* out,
                int64_t outStride) {
  HWY_DYNAMIC_DISPATCH(gather)
  (table, dim, ids.data(), static_cast<int64_t>(ids.size()), out, outStride);
}

void poolRows(const float* table, int64_t dim, std::span<const int32_t> ids, int64_t width,
              Pooling pooling, float* out, int64_t outStride) {
  if (dim == 0 || width == 0) return;
  thread_local std::vector<int32_t> own;
  const auto bags = static_cast<int64_t>(ids.size()) / width;
  for (int64_t bag = 0; bag < bags; ++bag) {
    ownIds(ids.data() + bag * width, width, own);
    const auto count = static_cast<int64_t>(own.size());
    float* to = out + bag * outStride;
    if (count == 0) {
      std::fill_n(to, dim, 0.0f);
      continue;
    }
    const float scale = pooling == Pooling::kMean ? 1.0f / static_cast<float>(count) : 1.0f;
    HWY_DYNAMIC_DISPATCH(poolBag)(table, dim, own.data(), count, scale, to);
  }
}

void divideByBagSize(const float* in, int64_t inStride, int64_t dim, std::span<const int32_t> ids,
                     int64_t width, float* out) {
  if (width == 0) return;
  const auto bags = static_cast<int64_t>(ids.size()) / width;
  for (int64_t bag = 0; bag < bags; ++bag) {
    const int32_t* first = ids.data() + bag * width;
    const auto count = width - std::count(first, first + width, kNoId);
    const float scale = count > 0 ? 1.0f / static_cast<float>(count) : 0.0f;
    for (int64_t c = 0; c < dim; ++c) out[bag * dim + c] = in[bag * inStride + c] * scale;
  }
}

void UniqueIds::build(int64_t tableRows, std::span<const IdList> lists) {
  if (stamps_.size() < static_cast<size_t>(tableRows)) {
    stamps_.resize(static_cast<size_t>(tableRows));
  }
  size_t most = 0;
  for (const IdList& list : lists) most += list.ids.size();
  base_ += static_cast<uint32_t>(unique_);
  if (most > std::numeric_limits<uint32_t>::max() - base_) {  // old stamps would look new
    std::ranges::fill(stamps_, 0);
    base_ = 1;
  }
  if (offsets_.size() <= most) {
    for (std::vector<int32_t>* memory : {&ids_, &uniqueOf_, &offsets_}) memory->resize(most + 1);
    positions_.resize(most);
  }
  uint32_t unique = 0;
  size_t occurrence = 0;
  for (const auto& [list, perRow] : lists) {
    for (size_t r = 0; r < list.size(); ++r) {
      if (r + kAhead < list.size() && list[r + kAhead] != kNoId)
        __builtin_prefetch(&stamps_[static_cast<size_t>(list[r + kAhead])], 1);
      if (list[r] == kNoId) continue;
      uint32_t& stamp = stamps_[static_cast<size_t>(list[r])];
      // Below zero, hence large, for a stamp of an earlier build.
      uint32_t index = stamp - base_;
      if (index >= unique) {
        index = unique++;
        stamp = base_ + index;
        ids_[index] = list[r];
        offsets_[index] = 0;
      }
      ++offsets_[index];
      uniqueOf_[occurrence++] = static_cast<int32_t>(index);
    }
  }
  unique_ = unique;
  occurrences_ = occurrence;
  // Counts become the borders' ends; filling from the back moves them to the beginnings.
  int32_t total = 0;
  for (size_t u = 0; u < unique; ++u) offsets_[u] = total += offsets_[u];
  offsets_[unique] = total;
  for (size_t l = lists.size(); l-- > 0;) {
    const auto& [list, perRow] = lists[l];
    for (size_t r = list.size(); r-- > 0;) {
      if (list[r] == kNoId) continue;
      const auto index = static_cast<size_t>(uniqueOf_[--occurrence]);
      const auto row = perRow == 1 ? r : r / static_cast<size_t>(perRow);
      positions_[static_cast<size_t>(--offsets_[index])] = {static_cast<int32_t>(l),
                                                            static_cast<int32_t>(row)};
    }
  }
}

void sumRows(const UniqueIds& unique, std::span<const RowGradient> gradients, int64_t dim,
             int64_t begin, int64_t end, float* out, int64_t outStride) {
  for (int64_t u = begin; u < end; ++u) {
    const std::span<const UniqueIds::Position> positions = unique.positions(u);
    HWY_DYNAMIC_DISPATCH(sumPositions)
    (positions.data(), static_cast<int64_t>(positions.size()), gradients.data(), dim,
     out + (u - begin) * outStride);
  }
}

}  // namespace polydomain::cpu
#endif  // HWY_ONCE
