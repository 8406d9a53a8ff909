import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import { Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { equalFieldShape, FieldModel, FirstOrder, pairwise } from './fields.js';

export const nfmOptions = z.strictObject({
  ...equalFieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
});
export type NfmOptions = z.input<typeof nfmOptions>;

/**
 * Neural Factorization Machine (He and Chua 2017): first-order weights, and the MLP over the fields'
 * pairwise products, 1/2 [(sum e)^2 - sum e^2], element by element.
 */
export class Nfm extends FieldModel<z.output<typeof nfmOptions>> {
  /** Weights of the fields themselves. */
  readonly linear: FirstOrder;
  readonly dnn: Dnn;
  readonly output: Linear;

  constructor(options: NfmOptions & ModelContext) {
    super('nfm', nfmOptions, options, { equal: true });
    const { hidden, l2, embeddingDim } = this.settings;
    this.linear = new FirstOrder(this.schema, l2);
    this.dnn = new Dnn(embeddingDim, hidden, this.settings);
    this.output = new Linear(hidden.at(-1) as number, 1, { bias: false });
  }

  forward(batch: Batch): Tensor {
    const deep = this.output.forward(this.dnn.forward(pairwise(this.embed(batch))));
    return ops.add(ops.add(this.linear.forward(batch), deep), this.bias);
  }
}

/** The Neural Factorization Machine over a dataset's schema. */
export function nfm(options: NfmOptions & ModelContext): Nfm {
  return new Nfm(options);
}
