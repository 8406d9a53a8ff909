#include "effective_lookup.h"

#include <vector>

#include "cpu/chunks.h"
#include "cpu/embedding.h"
#include "ops.h"

namespace polydomain {

namespace {

// An embedding bag: rows are gathered and then pooled, in the order in which the kernel adds them
// up.
void bagsEffective(const ParameterSpace& space, OverlayId domain, ThreadPool& pool,
                   const Node& node, int region, const TensorView& ids, const TensorView& out) {
  const int64_t dim = out.shape[1];
  const int64_t width = ids.shape[1];
  cpu::forChunks(pool, out.shape[0], cpu::rowsPerChunk(dim), [&](int64_t begin, int64_t end) {
    std::vector<int32_t> units, places(static_cast<size_t>((end - begin) * width), cpu::kNoId);
    for (size_t i = 0; i < places.size(); ++i) {
      const int32_t id = ids.i32()[begin * width + static_cast<int64_t>(i)];
      if (id == cpu::kNoId) continue;
      places[i] = static_cast<int32_t>(units.size());
      units.push_back(id);
    }
    std::vector<float> rows(units.size() * static_cast<size_t>(dim));
    space.gather(region, domain, units, rows.data(), dim);
    cpu::poolRows(rows.data(), dim, places, width, poolingOf(node.attributes),
                  out.f32() + begin * dim, dim);
  });
}

}  // namespace

bool isLookup(const Node& node) {
  if (node.op == nullptr) return false;
  const std::string& name = node.op->name;
  return name == "embedding" || name == "embedding_bag" || name == "gather_concat";
}

size_t lookupCount(const Node& node) { return node.inputs.size() / 2; }

std::vector<int> lookupRegions(const Graph& graph, const ParameterSpace& space, ValueId value) {
  const Node& node = graph[value];
  if (!isLookup(node)) return {};
  std::vector<int> regions;
  for (size_t i = 0; i < lookupCount(node); ++i) {
    const Node& table = graph[node.inputs[i]];
    if (table.kind != NodeKind::kParameter) return {};
    const int parameter = space.find(table.name);
    if (space.parameter(parameter).kind != ParameterKind::kTable) return {};
    regions.push_back(space.regionOf(parameter));
  }
  return regions;
}

void lookupEffective(const ParameterSpace& space, OverlayId domain, ThreadPool& pool,
                     const Node& node, std::span<const int> regions,
                     std::span<const TensorView> inputs, const TensorView& output) {
  const size_t count = lookupCount(node);
  if (node.op->name == "embedding_bag") {
    return bagsEffective(space, domain, pool, node, regions[0], inputs[1], output);
  }
  const int64_t stride = output.shape.back();
  int64_t column = 0;
  for (size_t i = 0; i < count; ++i) {
    const TensorView& ids = inputs[count + i];
    const int64_t dim = inputs[i].shape[1];
    cpu::forChunks(pool, ids.size(), cpu::rowsPerChunk(dim), [&](int64_t begin, int64_t end) {
      space.gather(regions[i], domain, {ids.i32() + begin, ids.i32() + end},
                   output.f32() + begin * stride + column, stride);
    });
    column += dim;
  }
}

}  // namespace polydomain
