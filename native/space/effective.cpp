// Domains' own values, and what they make of the shared ones.

#include <algorithm>
#include <cstring>

#include "own_values.h"
#include "space_impl.h"

namespace polydomain {

namespace {

constexpr float kRandomStartDeviation = 0.01f;

}  // namespace

void ParameterSpace::Impl::gather(int region, OverlayId domain, std::span<const int32_t> units,
                                  float* out, int64_t stride) const {
  const Region& from = regions_[static_cast<size_t>(region)];
  const bool specific = specific_[static_cast<size_t>(parameterOfUnit(region, 0))];
  const Overlay* overlay = specific ? find(domain) : nullptr;
  const UnitStore* store =
      overlay != nullptr ? &overlay->stores[static_cast<size_t>(region)] : nullptr;
  for (size_t i = 0; i < units.size(); ++i) {
    float* to = out + static_cast<int64_t>(i) * stride;
    const auto unit = static_cast<uint32_t>(units[i]);
    std::memcpy(to, from.unit(unit), static_cast<size_t>(from.unitSize) * sizeof(float));
    if (store != nullptr) combineUnit(domain, region, unit, ownValues(*store, unit), to);
  }
}

void ParameterSpace::Impl::gatherDense(OverlayId domain, float* out) const {
  const Region& slab = regions_[0];
  std::copy_n(slab.data(), slab.units * kDenseBlock, out);
  const Overlay* overlay = find(domain);
  if (overlay == nullptr) return;
  for (int64_t block = 0; block < slab.units; ++block) {
    const auto unit = static_cast<uint32_t>(block);
    if (!specific_[static_cast<size_t>(blockParameter_[unit])]) continue;
    combineUnit(domain, 0, unit, ownValues(overlay->stores[0], unit), out + block * kDenseBlock);
  }
}

bool ParameterSpace::Impl::owns(OverlayId domain, int parameter) const {
  const Overlay* overlay = find(domain);
  const auto p = static_cast<size_t>(parameter);
  if (overlay == nullptr || !specific_[p]) return false;
  // What an overlay does not hold may start at random.
  if (start_ == SpecificStart::kRandom && parameters_[p].trainable) return true;
  const UnitStore& store = overlay->stores[static_cast<size_t>(regionOf(parameter))];
  if (parameters_[p].kind == ParameterKind::kTable) return !store.empty();
  const auto first = static_cast<uint32_t>(firstUnit(parameter));
  for (uint32_t block = 0; block < unitCount(parameter); ++block) {
    if (store.find(first + block) != UnitStore::kNone) return true;
  }
  return false;
}

void ParameterSpace::Impl::visitOverlay(
    OverlayId domain, int parameter,
    const std::function<void(uint32_t, std::span<const float>)>& visit) const {
  const Overlay* overlay = find(domain);
  if (overlay == nullptr) return;
  const int region = regionOf(parameter);
  const UnitStore& store = overlay->stores[static_cast<size_t>(region)];
  std::vector<int64_t> entries;
  for (int64_t entry = 0; entry < store.size(); ++entry) {
    if (parameterOfUnit(region, store.unit(entry)) == parameter) entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(),
            [&](int64_t a, int64_t b) { return store.unit(a) < store.unit(b); });
  for (const int64_t entry : entries) {
    visit(static_cast<uint32_t>(store.unit(entry) - firstUnit(parameter)),
          {store.values(entry), static_cast<size_t>(store.unitSize())});
  }
}

void ParameterSpace::Impl::startValues(OverlayId domain, int region, uint32_t unit,
                                       const float* base, float* out) const {
  const int64_t size = regions_[static_cast<size_t>(region)].unitSize;
  if (combineOf(static_cast<size_t>(region), unit) == Combine::kReplace) {
    std::copy_n(base, size, out);
    return;
  }
  std::fill_n(out, size, combine_ == Combine::kTimes ? 1.0f : 0.0f);
  if (start_ == SpecificStart::kNeutral) return;
  const int parameter = parameterOfUnit(region, unit);
  const RandomKey key{seed_, streamOf(parameters_[static_cast<size_t>(parameter)].name),
                      static_cast<uint64_t>(domain) + 1};
  const auto first = static_cast<uint64_t>((unit - firstUnit(parameter)) * size);
  fillNormal(key, first, size, combine_ == Combine::kTimes ? 1.0f : 0.0f, kRandomStartDeviation,
             out);
}

void ParameterSpace::Impl::combineUnit(OverlayId domain, int region, uint32_t unit,
                                       const float* specific, float* value) const {
  const Combine combine = combineOf(static_cast<size_t>(region), unit);
  const int64_t size = regions_[static_cast<size_t>(region)].unitSize;
  if (specific == nullptr) {
    if (startsNeutral(combine)) return;
    thread_local std::vector<float> start;
    start.resize(static_cast<size_t>(size));
    startValues(domain, region, unit, value, start.data());
    specific = start.data();
  }
  combineValues(combine, specific, size, value);
}

}  // namespace polydomain
