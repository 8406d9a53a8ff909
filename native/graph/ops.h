#pragma once

#include "cpu/embedding.h"
#include "polydomain/op.h"

namespace polydomain {

// Each adds the ops of one family; the file of the family says what they compute.
void registerElementwiseOps(OpRegistry& registry);
void registerLinearOps(OpRegistry& registry);
void registerGroupedOps(OpRegistry& registry);
void registerReduceOps(OpRegistry& registry);
void registerShapeOps(OpRegistry& registry);
void registerDropoutOps(OpRegistry& registry);
void registerLossOps(OpRegistry& registry);
void registerEmbeddingOps(OpRegistry& registry);
void registerNormOps(OpRegistry& registry);
void registerConvOps(OpRegistry& registry);
void registerAttentionOps(OpRegistry& registry);

// Of an embedding_bag. Throws Error(kConfig) for another name than sum and mean.
cpu::Pooling poolingOf(const Attributes& attributes);

// All of the above.
void registerAllOps(OpRegistry& registry);

}  // namespace polydomain
