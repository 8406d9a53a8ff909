import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import { Dropout, Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import { Module } from '../nn/module.js';
import { BatchNorm1d } from '../nn/norm.js';
import { count } from '../options.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { activate, units } from './dnn.js';
import { FieldModel, fieldShape } from './fields.js';

export const pepnetOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
  gate: count.default(64).describe("Size of each gate's hidden layer"),
});
export type PepnetOptions = z.input<typeof pepnetOptions>;

/** Gate neural unit (equations 2 and 3): 2 sigmoid(W' relu(W x + b) + b'), so 1 is its middle. */
class Gate extends Module<[Operand], Tensor> {
  readonly first: Linear;
  readonly second: Linear;

  constructor(inputs: number, hidden: number, outputs: number) {
    super();
    this.first = new Linear(inputs, hidden);
    this.second = new Linear(hidden, outputs);
  }

  forward(x: Operand): Tensor {
    return ops.scale(ops.sigmoid(this.second.forward(ops.relu(this.first.forward(x)))), 2);
  }
}

/**
 * PEPNet (Chang et al. 2023) for one task: EPNet scales the features' embeddings by a gate over the
 * domain's embedding (equations 4 to 6), PPNet each hidden layer by a gate over the features' own
 * embeddings (equations 7 to 9). What a gate scales is seen by it without gradient.
 */
export class Pepnet extends FieldModel<z.output<typeof pepnetOptions>> {
  readonly embeddingGate: Gate;
  readonly layerGates: Gate[] = [];
  readonly hidden: Linear[] = [];
  readonly norms: BatchNorm1d[] = [];
  readonly dropout: Dropout[] = [];
  readonly output: Linear;

  constructor(options: PepnetOptions & ModelContext) {
    super('pepnet', pepnetOptions, options);
    const { hidden, gate, dropout, batchNorm } = this.settings;
    const features = this.width - this.domainWidth;
    this.embeddingGate = new Gate(this.width, gate, features);
    let width = features;
    for (const size of hidden) {
      this.hidden.push(new Linear(width, size, { bias: !batchNorm }));
      this.layerGates.push(new Gate(2 * features, gate, size));
      if (batchNorm) this.norms.push(new BatchNorm1d(size));
      this.dropout.push(new Dropout(dropout));
      width = size;
    }
    this.output = new Linear(width, 1, { bias: false });
  }

  forward(batch: Batch): Tensor {
    const fields = this.embed(batch);
    const domain = fields.at(-1) as Tensor;
    const features = ops.concat(fields.slice(0, -1));
    const personal = ops.mul(
      this.embeddingGate.forward(ops.concat([domain, ops.stopGradient(features)])),
      features,
    );
    const prior = ops.concat([features, ops.stopGradient(personal)]);
    let x: Operand = personal;
    this.hidden.forEach((layer, i) => {
      const gate = (this.layerGates[i] as Gate).forward(prior);
      const active = activate(layer.forward(x), this.norms[i], this.settings.activation);
      x = (this.dropout[i] as Dropout).forward(ops.mul(gate, active));
    });
    return ops.add(this.output.forward(x), this.bias);
  }
}

/** PEPNet over a dataset's schema. */
export function pepnet(options: PepnetOptions & ModelContext): Pepnet {
  return new Pepnet(options);
}
