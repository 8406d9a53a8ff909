#pragma once

#include <functional>
#include <string>
#include <vector>

#include "polydomain/graph.h"

namespace polydomain {

// A graph rewritten into another one, and where the values of interest went.
struct Rewritten {
  Graph graph;
  std::vector<ValueId> kept;  // like the `keep` of the call, as values of `graph`
};

// Copies what `keep` needs; without `dropout` that is the identity. A running average is
// formed of the batch where `averages` tells so of its parameter, else it is what the steps have
// left. `fuse` makes layers out of chains that have no other reader: linear, relu and dropout
// become one linear; a concat of embeddings becomes gather_concat; a linear over columns of which
// the last embed the domain becomes grouped_linear.
Rewritten rewriteForward(const Graph& graph, const std::vector<ValueId>& keep, bool dropout,
                         bool fuse,
                         const std::function<bool(const std::string& parameter)>& averages);

// Drops what `keep` does not need and lets linear_input_gradient apply the activation_gradient
// that follows it.
Rewritten rewriteBackward(const Graph& graph, const std::vector<ValueId>& keep);

}  // namespace polydomain
