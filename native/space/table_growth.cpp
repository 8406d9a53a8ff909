// Rows of tables that move between runs.

#include <algorithm>

#include "moved_rows.h"
#include "polydomain/error.h"
#include "space_impl.h"

namespace polydomain {

void ParameterSpace::Impl::moveRows(int parameter, std::span<const int32_t> from,
                                    ThreadPool& pool) {
  requireClosed("moveRows");
  ParameterSpec& spec = parameters_[static_cast<size_t>(parameter)];
  if (spec.kind != ParameterKind::kTable || from.empty() || !marks_.empty()) {
    throw Error(ErrorKind::kConfig, "moveRows of '" + spec.name + "' to " +
                                        std::to_string(from.size()) + " rows with " +
                                        std::to_string(marks_.size()) +
                                        " open marks; expected a table, rows and no mark");
  }
  const auto r = static_cast<size_t>(regionOf(parameter));
  Region& region = regions_[r];
  const std::vector<int32_t> to = destinations(from, region.units);
  polydomain::moveRows(*region.memory, region.unitSize, from);
  region.units = static_cast<int64_t>(from.size());
  spec.shape[0] = region.units;
  unitCount_[static_cast<size_t>(parameter)] = region.units;
  for (auto next = from.begin(); next != from.end();) {
    const auto first = std::find(next, from.end(), kNewRow);
    next = std::find_if(first, from.end(), [](int32_t row) { return row != kNewRow; });
    fill(parameter, (first - from.begin()) * region.unitSize, (next - first) * region.unitSize,
         &pool);
  }
  moveOwnRows(r, to);
  // Journals are as large as the tables were.
  spare_.clear();
  base_.clear();
}

void ParameterSpace::Impl::moveOwnRows(size_t region, const std::vector<int32_t>& to) {
  const auto stays = [&](uint32_t unit) { return to[unit] == static_cast<int32_t>(unit); };
  for (auto place = overlays_.begin(); place != overlays_.end();) {
    Overlay& overlay = place->second;
    overlay.use();
    UnitStore& store = overlay.stores[region];
    bool same = true;
    for (int64_t entry = 0; entry < store.size(); ++entry) {
      same = same && stays(store.unit(entry));
    }
    if (!same) {
      UnitStore moved(store.unitSize(), overlay.resource());
      moved.reserve(store.size());
      for (int64_t entry = 0; entry < store.size(); ++entry) {
        const int32_t row = to[store.unit(entry)];
        if (row == kNewRow) continue;
        std::copy_n(store.values(entry), store.unitSize(),
                    moved.values(moved.insert(static_cast<uint32_t>(row)).first));
      }
      store = std::move(moved);
    }
    place = overlay.empty() ? overlays_.erase(place) : std::next(place);
  }
}

}  // namespace polydomain
