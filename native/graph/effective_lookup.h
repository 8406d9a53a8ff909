#pragma once

#include <span>
#include <vector>

#include "polydomain/graph.h"
#include "polydomain/space.h"

namespace polydomain {

// Whether a node reads tables only: embedding, embedding_bag or gather_concat.
bool isLookup(const Node& node);
// The table inputs of such a node; as many ids follow.
size_t lookupCount(const Node& node);

// The regions of the tables that a value looks rows up in; empty for one that reads anything else,
// tables that are computed too.
std::vector<int> lookupRegions(const Graph& graph, const ParameterSpace& space, ValueId value);

// What the node's kernel makes of a domain's effective rows. `regions`: of its tables.
void lookupEffective(const ParameterSpace& space, OverlayId domain, ThreadPool& pool,
                     const Node& node, std::span<const int> regions,
                     std::span<const TensorView> inputs, const TensorView& output);

}  // namespace polydomain
