import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import { Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { equalFieldShape, FieldModel } from './fields.js';

export const pnnOptions = z.strictObject({
  ...equalFieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
});
export type PnnOptions = z.input<typeof pnnOptions>;

/**
 * Product-based Neural Network with inner products (Qu et al. 2016, IPNN): the fields and the dot
 * product of each pair of them through the MLP.
 */
export class Pnn extends FieldModel<z.output<typeof pnnOptions>> {
  readonly dnn: Dnn;
  readonly output: Linear;

  constructor(options: PnnOptions & ModelContext) {
    super('pnn', pnnOptions, options, { equal: true });
    const { hidden } = this.settings;
    const pairs = (this.fieldCount * (this.fieldCount - 1)) / 2;
    this.dnn = new Dnn(this.width + pairs, hidden, this.settings);
    this.output = new Linear(hidden.at(-1) as number, 1, { bias: false });
  }

  forward(batch: Batch): Tensor {
    const fields = this.embed(batch);
    const products = fields.flatMap((a, i) =>
      fields.slice(i + 1).map((b) => ops.sum(ops.mul(a, b), { axis: 1, keepDims: true })),
    );
    const deep = this.dnn.forward(ops.concat([...fields, ...products]));
    return ops.add(this.output.forward(deep), this.bias);
  }
}

/** The Product-based Neural Network over a dataset's schema. */
export function pnn(options: PnnOptions & ModelContext): Pnn {
  return new Pnn(options);
}
