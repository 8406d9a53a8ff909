#include "device_space.h"

#include <algorithm>

#include "cpu/chunks.h"

namespace polydomain {

namespace {

using Api = PolydomainCudaApi;

// Of the memory between host and device.
constexpr int64_t kStagedFloats = int64_t{1} << 22;

// A thread takes so many rows of a step at once: few, as each of them misses the caches.
constexpr int64_t kGatheredRows = 16;

size_t bytesOf(int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); }

}  // namespace

DeviceSpace::DeviceSpace(std::shared_ptr<Device> device, ParameterSpace& space,
                         std::shared_ptr<ThreadPool> pool)
    : device_(std::move(device)),
      space_(space),
      pool_(std::move(pool)),
      staged_(*device_),
      received_(*device_),
      ids_(*device_) {
  for (int region = 0; region < space_.regionCount(); ++region) {
    mirrors_.push_back(std::make_unique<Mirror>(*device_));
  }
}

DeviceSpace::~DeviceSpace() = default;

int DeviceSpace::stateCount() const {
  return optimizer_ == nullptr ? 0 : optimizer_->spec().stateCount();
}

float* DeviceSpace::region(int region) const {
  return mirrors_[static_cast<size_t>(region)]->values.data<float>();
}

float* DeviceSpace::state(int region, int index) const {
  if (index >= stateCount()) return nullptr;
  return mirrors_[static_cast<size_t>(region)]->states[index].data<float>();
}

float* DeviceSpace::onDevice(int region, int slab) const {
  return slab == 0 ? this->region(region) : state(region, slab - 1);
}

float* DeviceSpace::onHost(int region, int slab) const {
  return slab == 0 ? space_.region(region) : optimizer_->state(region, slab - 1);
}

void DeviceSpace::beginPass(OverlayId overlay, OptimizerState* optimizer) {
  forget();
  overlay_ = overlay;
  optimizer_ = optimizer;
  bringDense();
}

void DeviceSpace::refresh() {
  forget();
  bringDense();
}

void DeviceSpace::endPass() {
  if (optimizer_ != nullptr) {
    for (int slab = 0; slab <= stateCount() && sizeOf(0) > 0; ++slab) {
      device_->call<&Api::copyOut>(onHost(0, slab), onDevice(0, slab), bytesOf(sizeOf(0)));
    }
    for (int region = 1; region < space_.regionCount(); ++region) {
      const Mirror& mirror = *mirrors_[static_cast<size_t>(region)];
      if (mirror.trained) {
        toHost(region, std::span<const int32_t>(mirror.rows).first(mirror.placed));
      }
    }
  }
  forget();
}

void DeviceSpace::forget() {
  for (const auto& mirror : mirrors_) {
    for (const int32_t row : mirror->rows) mirror->held[static_cast<size_t>(row) / 64] = 0;
    mirror->rows.clear();
    mirror->placed = 0;
    mirror->trained = false;
  }
  arrivals_.clear();
}

void DeviceSpace::bringDense() {
  Mirror& slab = *mirrors_[0];
  const int64_t size = sizeOf(0);
  if (size == 0) return;
  const float* values = space_.region(0);
  if (overlay_ >= 0) {
    dense_.resize(static_cast<size_t>(size));
    space_.gatherDense(overlay_, dense_.data());
    values = dense_.data();
  }
  device_->call<&Api::copyIn>(slab.values.atLeast<float>(size), values, bytesOf(size));
  for (int index = 0; index < stateCount(); ++index) {
    device_->call<&Api::copyIn>(slab.states[index].atLeast<float>(size),
                                optimizer_->state(0, index), bytesOf(size));
  }
}

void DeviceSpace::bringRows(int region, std::span<const int32_t> rows, bool trained,
                            StepMemory& memory) {
  Mirror& mirror = *mirrors_[static_cast<size_t>(region)];
  mirror.trained = trained && optimizer_ != nullptr;
  mirror.held.resize(static_cast<size_t>(space_.unitCount(region) + 63) / 64);
  mirror.values.atLeast<float>(sizeOf(region));
  for (int slab = 1; slab < slabsOf(mirror); ++slab) {
    mirror.states[slab - 1].atLeast<float>(sizeOf(region));
  }
  const size_t before = mirror.rows.size();
  for (const int32_t row : rows) {
    uint64_t& word = mirror.held[static_cast<size_t>(row) / 64];
    const uint64_t bit = uint64_t{1} << (row % 64);
    if ((word & bit) == 0) mirror.rows.push_back(row);
    word |= bit;
  }
  const auto fresh = std::span<const int32_t>(mirror.rows).subspan(before);
  const int64_t dim = space_.unitSize(region), count = std::ssize(fresh);
  if (count == 0 || dim == 0) return;
  const int32_t* ids = memory.add(fresh);
  const auto values = memory.reserve<float>(slabsOf(mirror) * count * dim);
  gather(region, fresh, values.host);
  arrivals_.push_back({region, {ids, count, dim}, values.device});
}

void DeviceSpace::placeRows() {
  for (const auto& [region, rows, values] : arrivals_) {
    Mirror& mirror = *mirrors_[static_cast<size_t>(region)];
    for (int slab = 0; slab < slabsOf(mirror); ++slab) {
      device_->call<&Api::restoreRows>(onDevice(region, slab), rows,
                                       values + slab * rows.count * rows.dim);
    }
    mirror.placed = mirror.rows.size();
  }
  arrivals_.clear();
}

void DeviceSpace::gather(int region, std::span<const int32_t> rows, float* to) {
  const Mirror& mirror = *mirrors_[static_cast<size_t>(region)];
  const int64_t dim = space_.unitSize(region), count = std::ssize(rows);
  cpu::forChunks(*pool_, count, kGatheredRows, [&](int64_t begin, int64_t end) {
    const auto own = rows.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    space_.gather(region, overlay_, own, to + begin * dim, dim);
    for (int slab = 1; slab < slabsOf(mirror); ++slab) {
      const float* from = onHost(region, slab);
      float* state = to + (slab * count + begin) * dim;
      for (const int32_t row : own) state = std::copy_n(from + row * dim, dim, state);
    }
  });
}

void DeviceSpace::toHost(int region, std::span<const int32_t> rows) {
  const Mirror& mirror = *mirrors_[static_cast<size_t>(region)];
  const int64_t dim = space_.unitSize(region);
  const int64_t floats = dim * slabsOf(mirror);
  if (floats == 0) return;
  const auto most = static_cast<size_t>(std::max<int64_t>(1, kStagedFloats / floats));
  while (!rows.empty()) {
    const auto piece = rows.first(std::min(most, rows.size()));
    rows = rows.subspan(piece.size());
    const int64_t count = std::ssize(piece);
    auto* received = received_.atLeast<float>(count * floats);
    auto* staged = staged_.atLeast<float>(count * floats);
    auto* ids = ids_.atLeast<int32_t>(count);
    device_->call<&Api::copyIn>(ids, piece.data(), piece.size_bytes());
    for (int slab = 0; slab < slabsOf(mirror); ++slab) {
      device_->call<&Api::gatherRows>(onDevice(region, slab), PolydomainCudaRows{ids, count, dim},
                                      received + slab * count * dim, dim);
    }
    device_->call<&Api::copyOut>(staged, received, bytesOf(count * floats));
    cpu::forChunks(*pool_, count, cpu::rowsPerChunk(dim), [&](int64_t begin, int64_t end) {
      for (int slab = 0; slab < slabsOf(mirror); ++slab) {
        const float* from = staged + (slab * count + begin) * dim;
        float* to = onHost(region, slab);
        for (int64_t i = begin; i < end; ++i, from += dim) {
          std::copy_n(from, dim, to + piece[static_cast<size_t>(i)] * dim);
        }
      }
    });
  }
}

}  // namespace polydomain
