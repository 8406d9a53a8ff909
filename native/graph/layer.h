#pragma once

#include <span>

#include "cpu/gemm.h"
#include "polydomain/graph.h"

// What the layers share: x [rows.., in], weight [out, in], bias [out] if any, and attributes relu,
// keep and stream of the activation that runs in the product's epilogue.
namespace polydomain {

// [rows.., out]. Throws Error(kShape, kConfig) with the op's name.
TensorType layerType(const char* op, const Attributes& attributes,
                     std::span<const TensorType> inputs);
// The epilogue without its bias.
cpu::GemmEpilogue activationOf(const RunContext& context, const Attributes& attributes);
// Of the product, given the gradient of the layer's output.
ValueId activationGradient(Graph& graph, ValueId layer, ValueId gradient);

}  // namespace polydomain
