// What happens to units that are about to be written.

#include <algorithm>

#include "space_impl.h"

namespace polydomain {

void ParameterSpace::Impl::touch(int region, std::span<const uint32_t> units) {
  touchAll(region, static_cast<int64_t>(units.size()),
           [&](int64_t i) { return units[static_cast<size_t>(i)]; });
}

void ParameterSpace::Impl::touchDense(int parameter) {
  const int64_t first = firstUnit(parameter);
  touchAll(0, unitCount(parameter),
           [&](int64_t block) { return static_cast<uint32_t>(first + block); });
}

UnitStore* ParameterSpace::Impl::keeperOf(int region, uint32_t unit) {
  const auto r = static_cast<size_t>(region);
  if (active_ >= 0 && specific_[static_cast<size_t>(parameterOfUnit(region, unit))]) {
    return &base_[r];
  }
  return marks_.empty() ? nullptr : &marks_.back().shared[r];
}

template <typename UnitAt>
void ParameterSpace::Impl::touchAll(int region, int64_t count, const UnitAt& unitAt) {
  if (marks_.empty() && active_ < 0) return;
  touched_.clear();
  try {
    for (int64_t i = 0; i < count; ++i) {
      UnitStore* keeper = keeperOf(region, unitAt(i));
      if (keeper == nullptr) continue;
      const auto [entry, isNew] = keeper->place(unitAt(i));
      if (isNew) touched_.emplace_back(keeper, entry);
    }
  } catch (...) {
    keepTouched(region);
    throw;
  }
  keepTouched(region);
}

void ParameterSpace::Impl::keepTouched(int regionIndex) {
  const auto r = static_cast<size_t>(regionIndex);
  const Region& region = regions_[r];
  forUnits(static_cast<int64_t>(touched_.size()), region.unitSize, [&](int64_t i) {
    const auto [keeper, entry] = touched_[static_cast<size_t>(i)];
    const uint32_t unit = keeper->unit(entry);
    float* value = region.unit(unit);
    std::copy_n(value, region.unitSize, keeper->values(entry));
    if (active_ >= 0 && keeper == &base_[r])
      combineUnit(active_, regionIndex, unit, &open_->stores[r], value);
  });
}

}  // namespace polydomain
