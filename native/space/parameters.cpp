// Parameters by name, where they lie, and the values that they start from.

#include <algorithm>

#include "polydomain/error.h"
#include "space_impl.h"

namespace polydomain {

namespace {

constexpr int64_t kFilledAtOnce = 1 << 18;  // weights that start as one thread's work

bool globMatches(const char* pattern, const char* text) {
  if (*pattern == '\0') return *text == '\0';
  if (*pattern == '*') {
    return globMatches(pattern + 1, text) || (*text != '\0' && globMatches(pattern, text + 1));
  }
  return *text == *pattern && globMatches(pattern + 1, text + 1);
}

size_t commonPrefix(const std::string& a, const std::string& b) {
  size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  return i;
}

}  // namespace

int ParameterSpace::Impl::find(const std::string& name) const {
  size_t nearest = 0;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].name == name) return static_cast<int>(i);
    if (commonPrefix(parameters_[i].name, name) > commonPrefix(parameters_[nearest].name, name)) {
      nearest = i;
    }
  }
  throw Error(ErrorKind::kConfig,
              "unknown parameter '" + name + "'" +
                  (parameters_.empty() ? std::string()
                                       : "; the nearest is '" + parameters_[nearest].name + "'"));
}

Selection ParameterSpace::Impl::select(const std::vector<std::string>& patterns) const {
  Selection selection(parameters_.size(), false);
  for (const std::string& pattern : patterns) {
    const bool excludes = pattern.starts_with('!');
    const std::string glob = excludes ? pattern.substr(1) : pattern;
    if (excludes && &pattern == &patterns.front()) selection.assign(parameters_.size(), true);
    bool any = false;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      if (glob != "all" && !globMatches(glob.c_str(), parameters_[i].name.c_str())) continue;
      selection[i] = !excludes;
      any = true;
    }
    if (any) continue;
    std::string known;
    for (const ParameterSpec& spec : parameters_) known += " '" + spec.name + "'";
    throw Error(ErrorKind::kConfig,
                "pattern '" + pattern + "' matches no parameter; there are" + known);
  }
  return selection;
}

Selection ParameterSpace::Impl::trainable(Selection selection) const {
  if (selection.empty()) selection.assign(parameters_.size(), true);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    selection[i] = selection[i] && parameters_[i].trainable;
  }
  return selection;
}

void ParameterSpace::Impl::start(ThreadPool* pool) {
  for (size_t p = 0; p < parameters_.size(); ++p) {
    fill(static_cast<int>(p), 0, elementCount(parameters_[p].shape), pool);
  }
}

void ParameterSpace::Impl::layOut() {
  int64_t blocks = 0;
  regions_.emplace_back();
  for (size_t p = 0; p < parameters_.size(); ++p) {
    const ParameterSpec& spec = parameters_[p];
    for (size_t q = 0; q < p; ++q) {
      if (parameters_[q].name == spec.name) {
        throw Error(ErrorKind::kConfig, "two parameters are named '" + spec.name + "'");
      }
    }
    const int64_t count = elementCount(spec.shape);
    if (count <= 0 || (spec.kind == ParameterKind::kTable && spec.shape.size() != 2)) {
      throw Error(ErrorKind::kShape, "parameter '" + spec.name + "' " + toString(spec.shape) +
                                         "; expected sizes above 0, and [rows, dim] of a table");
    }
    if (spec.kind == ParameterKind::kTable) {
      regionOf_.push_back(static_cast<int>(regions_.size()));
      firstUnit_.push_back(0);
      unitCount_.push_back(spec.shape[0]);
      regions_.push_back({spec.shape[0], spec.shape[1], static_cast<int>(p), nullptr});
    } else {
      const int64_t own = (count + kDenseBlock - 1) / kDenseBlock;
      regionOf_.push_back(0);
      firstUnit_.push_back(blocks);
      unitCount_.push_back(own);
      blockParameter_.insert(blockParameter_.end(), static_cast<size_t>(own), static_cast<int>(p));
      blocks += own;
    }
  }
  regions_[0].units = blocks;
  regions_[0].unitSize = kDenseBlock;
  for (Region& region : regions_) {
    region.memory =
        Storage::allocate(static_cast<size_t>(region.units * region.unitSize) * sizeof(float));
  }
}

void ParameterSpace::Impl::fill(int parameter, int64_t first, int64_t count,
                                ThreadPool* pool) const {
  const Region& region = regions_[static_cast<size_t>(regionOf(parameter))];
  float* to = region.data() + firstUnit(parameter) * region.unitSize;
  const auto fillChunk = [&](int64_t chunk, int) {
    const int64_t begin = first + chunk * kFilledAtOnce;
    draw(parameters_[static_cast<size_t>(parameter)], begin,
         std::min(kFilledAtOnce, first + count - begin), to + begin);
  };
  const int64_t chunks = (count + kFilledAtOnce - 1) / kFilledAtOnce;
  if (pool != nullptr) {
    pool->parallelFor(chunks, fillChunk);
  } else {
    for (int64_t chunk = 0; chunk < chunks; ++chunk) fillChunk(chunk, 0);
  }
}

void ParameterSpace::Impl::draw(const ParameterSpec& spec, int64_t first, int64_t count,
                                float* out) const {
  const RandomKey key{seed_, streamOf(spec.name), 0};
  const auto [kind, a, b] = spec.initializer;
  switch (kind) {
    case InitKind::kZeros:
      break;  // as allocated
    case InitKind::kConstant:
      std::fill_n(out, count, a);
      break;
    case InitKind::kUniform:
      fillUniform(key, static_cast<uint64_t>(first), count, a, b, out);
      break;
    case InitKind::kNormal:
      fillNormal(key, static_cast<uint64_t>(first), count, a, b, out);
      break;
  }
}

}  // namespace polydomain
