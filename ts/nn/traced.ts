import { inputName } from '../data/features.js';
import type { Feature, Schema } from '../data/types.js';
import { TraceError } from '../errors.js';
import type { NativeGraph, NativeNode } from '../native/addon.js';
import { symbolicTensor } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Trace, withTrace } from '../tensor/trace.js';
import type { Batch } from './batch.js';

/** Values of a trace. */
interface Losses {
  /** Mean binary cross entropy. */
  readonly loss: number;
  /** What training minimises: the same, or weighted by each domain's uncertainty, and penalties. */
  readonly trainingLoss: number;
}

/** A model's forward and losses as a graph. */
export interface Traced extends Losses {
  readonly graph: NativeGraph;
  /** The logits' value. */
  readonly output: number;
  /** The losses with the weights of rows. */
  readonly weighted: Losses;
}

function inputType(feature: Feature): [NativeNode['dtype'], number[]] {
  switch (feature.kind) {
    case 'categorical':
      return ['int32', [-1]];
    case 'numeric':
      return ['float32', [-1, 2]];
    case 'multi-valued':
      return ['int32', [-1, feature.width]];
  }
}

/**
 * Traces `forward` over a batch of the schema; `balanced` makes of a loss and the slot what training minimises.
 * Throws what they throw, and TraceError for logits that do not depend on the batch.
 */
export function traced(
  schema: Schema,
  forward: (batch: Batch) => Tensor,
  balanced: (loss: Tensor, slot: Tensor) => Tensor,
): Traced {
  const trace = new Trace();
  const { graph } = trace;
  const features: Record<string, Tensor> = {};
  for (const feature of schema.features) {
    const name = inputName(schema.features, feature);
    const [dtype, shape] = inputType(feature);
    features[feature.name] = symbolicTensor(trace, graph.input(name, dtype, shape));
  }
  const domain = symbolicTensor(trace, graph.input('domain', 'int32', [-1]));
  trace.slot = graph.input('slot', 'int32', [1]);
  const slot = symbolicTensor(trace, trace.slot);
  const label = symbolicTensor(trace, graph.input('label', 'float32', [-1]));
  const weight = symbolicTensor(trace, graph.input('weight', 'float32', [-1]));
  const penalties: number[] = [];
  trace.penalties = penalties;
  return withTrace(trace, () => {
    const logits = forward({ features, domain, slot });
    const penalized = (loss: Tensor): Tensor =>
      penalties.reduce((sum, term) => ops.add(sum, symbolicTensor(trace, term)), loss);
    const losses = (loss: Tensor): Losses => ({
      loss: symbolOf(loss),
      trainingLoss: symbolOf(penalized(balanced(loss, slot))),
    });
    // What a program does not use costs it nothing.
    const plain = losses(ops.bceWithLogits(logits, label));
    const weighted = losses(ops.bceWithLogits(logits, label, weight));
    return { graph, output: symbolOf(logits), ...plain, weighted };
  });
}

function symbolOf(tensor: Tensor): number {
  const symbol = tensor.symbolic();
  if (symbol) return symbol.value;
  throw new TraceError('forward returned a tensor that does not depend on the batch');
}
