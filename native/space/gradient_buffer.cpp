#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "cpu/chunks.h"
#include "polydomain/space.h"
#include "serialize.h"
#include "unit_store.h"

namespace polydomain {

class GradientBuffer::Impl {
 public:
  explicit Impl(const ParameterSpace& space) : pool_(space.threads()) {
    for (int region = 0; region < space.regionCount(); ++region) {
      stores_.emplace_back(space.unitSize(region));
    }
  }

  void zero() {
    for (UnitStore& store : stores_) store.clear();
  }

  void addUnits(int region, int64_t firstUnit, int64_t count, const float* gradient, float scale) {
    UnitStore& store = stores_[static_cast<size_t>(region)];
    const int64_t size = store.unitSize();
    for (int64_t u = 0; u < count; ++u) {
      const auto entry = store.insert(static_cast<uint32_t>(firstUnit + u)).first;
      float* to = store.values(entry);
      for (int64_t i = 0; i < size; ++i) to[i] += scale * gradient[u * size + i];
    }
  }

  void add(const Impl& other, float scale) {
    for (size_t r = 0; r < stores_.size(); ++r) {
      const UnitStore& from = other.stores_[r];
      UnitStore& to = stores_[r];
      const int64_t size = from.unitSize();
      entries_.resize(static_cast<size_t>(from.size()));
      for (int64_t i = 0; i < from.size(); ++i) {
        // Gradients of the same steps hold their units in the same order.
        const bool alike = i < to.size() && to.unit(i) == from.unit(i);
        entries_[static_cast<size_t>(i)] = alike ? i : to.insert(from.unit(i)).first;
      }
      const auto addRange = [&](int64_t begin, int64_t end) {
        for (int64_t i = begin, count = 0; i < end; i += count) {
          const int64_t entry = entries_[static_cast<size_t>(i)];
          const int64_t most = std::min({end - i, from.together(i), to.together(entry)});
          for (count = 1;
               count < most && entries_[static_cast<size_t>(i + count)] == entry + count;) {
            ++count;
          }
          const float* part = from.values(i);
          float* sum = to.values(entry);
          for (int64_t c = 0; c < count * size; ++c) sum[c] += scale * part[c];
        }
      };
      if (pool_) {
        cpu::forChunks(*pool_, from.size(), cpu::rowsPerChunk(size), addRange);
      } else {
        addRange(0, from.size());
      }
    }
  }

  void scale(float factor) {
    for (UnitStore& store : stores_) {
      for (int64_t entry = 0; entry < store.size(); entry += store.together(entry)) {
        float* values = store.values(entry);
        for (int64_t i = 0; i < store.together(entry) * store.unitSize(); ++i) values[i] *= factor;
      }
    }
  }

  double dot(const Impl& other) const {
    double sum = 0.0;
    for (size_t r = 0; r < stores_.size(); ++r) {
      const UnitStore& mine = stores_[r];
      const UnitStore& theirs = other.stores_[r];
      for (int64_t entry = 0; entry < mine.size(); ++entry) {
        const int64_t match = theirs.find(mine.unit(entry));
        if (match == UnitStore::kNone) continue;
        for (int64_t i = 0; i < mine.unitSize(); ++i) {
          sum += static_cast<double>(mine.values(entry)[i]) *
                 static_cast<double>(theirs.values(match)[i]);
        }
      }
    }
    return sum;
  }

  double norm() const {
    double sum = 0.0;
    for (const UnitStore& store : stores_) {
      for (int64_t entry = 0; entry < store.size(); entry += store.together(entry)) {
        const std::span some(store.values(entry),
                             static_cast<size_t>(store.together(entry) * store.unitSize()));
        for (const float value : some) {
          sum += static_cast<double>(value) * static_cast<double>(value);
        }
      }
    }
    return std::sqrt(sum);
  }

  bool project(const Impl& other) {
    const double product = dot(other);
    const double square = other.dot(other);
    if (product >= 0.0 || square == 0.0) return false;
    add(other, static_cast<float>(-product / square));
    return true;
  }

  void apply(ParameterSpace& space, OptimizerState& optimizer, const Selection* only) const {
    std::map<int, UpdateScalars> begun;
    for (size_t r = 0; r < stores_.size(); ++r) {
      const auto region = static_cast<int>(r);
      const UnitStore& store = stores_[r];
      for (int64_t entry = 0; entry < store.size(); ++entry) {
        const uint32_t unit = store.unit(entry);
        const int parameter = space.parameterOfUnit(region, unit);
        if (only != nullptr && !(*only)[static_cast<size_t>(parameter)]) continue;
        space.touch(region, std::span(&unit, 1));
        auto place = begun.find(parameter);
        if (place == begun.end()) {
          place = begun.emplace(parameter, optimizer.beginStep(parameter)).first;
        }
        optimizer.update(place->second, region, unit, store.unitSize(),
                         space.region(region) + unit * store.unitSize(), store.values(entry));
      }
    }
    optimizer.endStep();
  }

  void save(const ParameterSpace::Write& write) const {
    for (const UnitStore& store : stores_) writeStore(write, store);
  }

  void load(const ParameterSpace& space, const ParameterSpace::Read& read) {
    zero();
    for (size_t r = 0; r < stores_.size(); ++r) {
      readStore(read, space.unitCount(static_cast<int>(r)), stores_[r]);
    }
  }

  int64_t units() const {
    int64_t count = 0;
    for (const UnitStore& store : stores_) count += store.size();
    return count;
  }

 private:
  std::shared_ptr<ThreadPool> pool_;  // of the space; null: the caller's thread alone
  std::vector<UnitStore> stores_;     // by region
  std::vector<int64_t> entries_;      // of another buffer's units
};

GradientBuffer::GradientBuffer(const ParameterSpace& space)
    : impl_(std::make_unique<Impl>(space)) {}
GradientBuffer::~GradientBuffer() = default;
void GradientBuffer::zero() { impl_->zero(); }
void GradientBuffer::addUnits(int region, int64_t firstUnit, int64_t count, const float* gradient,
                              float scale) {
  impl_->addUnits(region, firstUnit, count, gradient, scale);
}
void GradientBuffer::add(const GradientBuffer& other, float scale) {
  impl_->add(*other.impl_, scale);
}
void GradientBuffer::scale(float factor) { impl_->scale(factor); }
double GradientBuffer::dot(const GradientBuffer& other) const { return impl_->dot(*other.impl_); }
double GradientBuffer::norm() const { return impl_->norm(); }
bool GradientBuffer::project(const GradientBuffer& other) { return impl_->project(*other.impl_); }
void GradientBuffer::apply(ParameterSpace& space, OptimizerState& optimizer,
                           const Selection* only) const {
  impl_->apply(space, optimizer, only);
}
void GradientBuffer::save(const ParameterSpace::Write& write) const { impl_->save(write); }
void GradientBuffer::load(const ParameterSpace& space, const ParameterSpace::Read& read) {
  impl_->load(space, read);
}
int64_t GradientBuffer::units() const { return impl_->units(); }

}  // namespace polydomain
