#include "memory_plan.h"

#include <iterator>
#include <map>

namespace polydomain {

namespace {

constexpr int64_t kLineFloats = 16;  // a cache line

// Free pieces of one growing buffer.
class Arena {
 public:
  int64_t take(int64_t floats) {
    auto best = free_.end();
    for (auto piece = free_.begin(); piece != free_.end(); ++piece) {
      if (piece->second < floats) continue;
      if (best == free_.end() || piece->second < best->second) best = piece;
    }
    if (best == free_.end()) {
      const int64_t offset = size_;
      size_ += floats;
      return offset;
    }
    const auto [offset, size] = *best;
    free_.erase(best);
    if (size > floats) free_[offset + floats] = size - floats;
    return offset;
  }

  void give(int64_t offset, int64_t floats) {
    const auto piece = free_.emplace(offset, floats).first;
    const auto next = std::next(piece);
    if (next != free_.end() && piece->first + piece->second == next->first) {
      piece->second += next->second;
      free_.erase(next);
    }
    if (piece == free_.begin()) return;
    const auto before = std::prev(piece);
    if (before->first + before->second != piece->first) return;
    before->second += piece->second;
    free_.erase(piece);
  }

  int64_t size() const { return size_; }

 private:
  std::map<int64_t, int64_t> free_;  // offset -> floats
  int64_t size_ = 0;
};

}  // namespace

int64_t elementsOf(const Shape& shape, int64_t rows) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size == kRows ? rows : size;
  return count;
}

MemoryPlan planMemory(const Graph& graph, const std::vector<bool>& placed,
                      const std::vector<ValueId>& kept, int64_t rows) {
  const auto count = static_cast<size_t>(graph.size());
  std::vector<ValueId> lastReader(count, kNoValue);
  for (ValueId v = 0; v < graph.size(); ++v) {
    for (const ValueId input : graph[v].inputs) lastReader[static_cast<size_t>(input)] = v;
  }
  for (const ValueId value : kept) lastReader[static_cast<size_t>(value)] = graph.size();

  MemoryPlan plan;
  plan.offsets.assign(count, MemoryPlan::kElsewhere);
  Arena arena;
  const auto sizeOfValue = [&](ValueId v) {
    const int64_t elements = elementsOf(graph[v].type.shape, rows);
    return (elements + kLineFloats - 1) / kLineFloats * kLineFloats + kLineFloats;
  };
  for (ValueId v = 0; v < graph.size(); ++v) {
    const auto at = static_cast<size_t>(v);
    const Node& node = graph[v];
    if (node.kind != NodeKind::kOp || node.op->cpu == nullptr) continue;
    const ValueId first = node.inputs.empty() ? kNoValue : node.inputs[0];
    bool reused = false;
    if (!placed[at]) {
      reused = node.op->inPlace && first != kNoValue &&
               plan.offsets[static_cast<size_t>(first)] != MemoryPlan::kElsewhere &&
               lastReader[static_cast<size_t>(first)] == v &&
               elementsOf(node.type.shape, rows) == elementsOf(graph[first].type.shape, rows);
      plan.offsets[at] =
          reused ? plan.offsets[static_cast<size_t>(first)] : arena.take(sizeOfValue(v));
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const auto input = static_cast<size_t>(node.inputs[i]);
      // A value read twice by one node is given back once.
      bool seen = false;
      for (size_t j = 0; j < i; ++j) seen = seen || node.inputs[j] == node.inputs[i];
      if (seen || lastReader[input] != v || plan.offsets[input] == MemoryPlan::kElsewhere) continue;
      if (reused && node.inputs[i] == first) continue;
      arena.give(plan.offsets[input], sizeOfValue(node.inputs[i]));
    }
    if (!placed[at] && lastReader[at] == kNoValue) arena.give(plan.offsets[at], sizeOfValue(v));
  }
  plan.floats = arena.size();
  return plan;
}

}  // namespace polydomain
