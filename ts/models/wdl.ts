import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import { Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { FieldModel, FirstOrder, fieldShape } from './fields.js';

export const wdlOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
});
export type WdlOptions = z.input<typeof wdlOptions>;

/**
 * Wide & Deep (Cheng et al. 2016) as DeepCTR has it: the sum of first-order weights beside the MLP.
 */
export class Wdl extends FieldModel<z.output<typeof wdlOptions>> {
  /** Weights of the fields themselves. */
  readonly linear: FirstOrder;
  readonly dnn: Dnn;
  readonly output: Linear;

  constructor(options: WdlOptions & ModelContext) {
    super('wdl', wdlOptions, options);
    const { hidden, l2 } = this.settings;
    this.linear = new FirstOrder(this.schema, l2);
    this.dnn = new Dnn(this.width, hidden, this.settings);
    this.output = new Linear(hidden.at(-1) as number, 1, { bias: false });
  }

  forward(batch: Batch): Tensor {
    const deep = this.output.forward(this.dnn.forward(ops.concat(this.embed(batch))));
    return ops.add(ops.add(this.linear.forward(batch), deep), this.bias);
  }
}

/** Wide & Deep over a dataset's schema. */
export function wdl(options: WdlOptions & ModelContext): Wdl {
  return new Wdl(options);
}
