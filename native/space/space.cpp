#include "polydomain/space.h"

#include "space_impl.h"

namespace polydomain {

ParameterSpace::ParameterSpace(std::vector<ParameterSpec> parameters, uint64_t seed)
    : ParameterSpace(std::move(parameters), seed, StartLater{}) {
  impl_->start(nullptr);
}
ParameterSpace::ParameterSpace(std::vector<ParameterSpec> parameters, uint64_t seed, StartLater)
    : impl_(std::make_unique<Impl>(std::move(parameters), seed)) {}
void ParameterSpace::start(ThreadPool& pool) { impl_->start(&pool); }
void ParameterSpace::moveRows(int parameter, std::span<const int32_t> from, ThreadPool& pool) {
  impl_->moveRows(parameter, from, pool);
}
void ParameterSpace::useThreads(std::shared_ptr<ThreadPool> pool) {
  impl_->useThreads(std::move(pool));
}
const std::shared_ptr<ThreadPool>& ParameterSpace::threads() const { return impl_->threads(); }
ParameterSpace::~ParameterSpace() = default;
int ParameterSpace::parameterCount() const { return static_cast<int>(impl_->parameters().size()); }
const ParameterSpec& ParameterSpace::parameter(int index) const {
  return impl_->parameters()[static_cast<size_t>(index)];
}
int ParameterSpace::find(const std::string& name) const { return impl_->find(name); }
int ParameterSpace::regionCount() const { return static_cast<int>(impl_->regions().size()); }
int ParameterSpace::regionOf(int parameter) const { return impl_->regionOf(parameter); }
int64_t ParameterSpace::firstUnitOf(int parameter) const { return impl_->firstUnit(parameter); }
int64_t ParameterSpace::unitCountOf(int parameter) const { return impl_->unitCount(parameter); }
int64_t ParameterSpace::unitCount(int region) const {
  return impl_->regions()[static_cast<size_t>(region)].units;
}
int64_t ParameterSpace::unitSize(int region) const {
  return impl_->regions()[static_cast<size_t>(region)].unitSize;
}
float* ParameterSpace::region(int region) {
  return impl_->regions()[static_cast<size_t>(region)].data();
}
float* ParameterSpace::data(int parameter) {
  const int index = regionOf(parameter);
  return region(index) + firstUnitOf(parameter) * unitSize(index);
}
int ParameterSpace::parameterOfUnit(int region, uint32_t unit) const {
  return impl_->parameterOfUnit(region, unit);
}
Selection ParameterSpace::select(const std::vector<std::string>& patterns) const {
  return impl_->select(patterns);
}
Selection ParameterSpace::trainable(Selection selection) const {
  return impl_->trainable(std::move(selection));
}
void ParameterSpace::touch(int region, std::span<const uint32_t> units) {
  impl_->touch(region, units);
}
void ParameterSpace::touchDense(int parameter) { impl_->touchDense(parameter); }
MarkId ParameterSpace::mark() { return impl_->mark(); }
void ParameterSpace::restore(MarkId mark, const Selection* only) { impl_->restore(mark, only); }
void ParameterSpace::lerp(MarkId mark, float rate, const Selection* only) {
  impl_->lerp(mark, rate, only);
}
void ParameterSpace::release(MarkId mark) { impl_->release(mark); }
void ParameterSpace::visitSharedChanges(MarkId mark, const Selection* only,
                                        const std::function<void(const Change&)>& visit) {
  impl_->visitSharedChanges(mark, only, visit);
}
void ParameterSpace::visitOverlayWay(
    MarkId mark, OverlayId domain, const std::function<void(int, uint32_t, const float*)>& visit) {
  impl_->visitOverlayWay(mark, domain, visit);
}
int ParameterSpace::openMarks() const { return impl_->openMarks(); }
int64_t ParameterSpace::savedUnits(MarkId mark) const { return impl_->savedUnits(mark); }
void ParameterSpace::configureOverlays(Combine combine, SpecificStart start,
                                       const Selection& specific) {
  impl_->configure(combine, start, specific);
}
Combine ParameterSpace::overlayCombine() const { return impl_->combine(); }
void ParameterSpace::openOverlay(OverlayId domain) { impl_->open(domain); }
void ParameterSpace::closeOverlay(bool keep) { impl_->close(keep); }
bool ParameterSpace::overlayOpen() const { return impl_->overlayOpen(); }
bool ParameterSpace::hasOverlay(OverlayId domain) const { return impl_->hasOverlay(domain); }
void ParameterSpace::dropOverlay(OverlayId domain) { impl_->drop(domain); }
std::vector<OverlayId> ParameterSpace::overlays() const { return impl_->overlays(); }
int64_t ParameterSpace::overlayUnits(OverlayId domain) const { return impl_->overlayUnits(domain); }
int64_t ParameterSpace::overlayBytes() const { return impl_->overlayBytes(); }
void ParameterSpace::limitOverlays(const std::string& folder, int64_t budget) {
  impl_->limit(folder, budget);
}
int64_t ParameterSpace::spilledBytes() const { return impl_->spilledBytes(); }
void ParameterSpace::gather(int region, OverlayId domain, std::span<const int32_t> units,
                            float* out, int64_t stride) const {
  impl_->gather(region, domain, units, out, stride);
}
void ParameterSpace::gatherDense(OverlayId domain, float* out) const {
  impl_->gatherDense(domain, out);
}
bool ParameterSpace::owns(OverlayId domain, int parameter) const {
  return impl_->owns(domain, parameter);
}
void ParameterSpace::visitOverlay(
    OverlayId domain, int parameter,
    const std::function<void(uint32_t, std::span<const float>)>& visit) const {
  impl_->visitOverlay(domain, parameter, visit);
}
void ParameterSpace::setOverlayUnit(OverlayId domain, int parameter, uint32_t unit,
                                    std::span<const float> values) {
  impl_->setOverlayUnit(domain, parameter, unit, values);
}
void ParameterSpace::save(const Write& write) const { impl_->save(write); }
void ParameterSpace::load(const Read& read) { impl_->load(read); }

}  // namespace polydomain
