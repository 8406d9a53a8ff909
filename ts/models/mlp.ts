import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import { type Dropout, Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import type { BatchNorm1d } from '../nn/norm.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { FieldModel, fieldShape } from './fields.js';

export const mlpOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
});
export type MlpOptions = z.input<typeof mlpOptions>;

/**
 * Embedded features and domain id, concatenated, through hidden layers to one logit: the base model
 * of MAMDR (section V). Defaults are its public configuration's.
 */
export class Mlp extends FieldModel<z.output<typeof mlpOptions>> {
  readonly hidden: Linear[];
  readonly norms: BatchNorm1d[];
  readonly dropout: Dropout[];
  readonly output: Linear;
  /** Not a property that parameters are looked for in: its layers are above, under short names. */
  readonly #dnn: Dnn;

  constructor(options: MlpOptions & ModelContext) {
    super('mlp', mlpOptions, options);
    const { hidden } = this.settings;
    this.#dnn = new Dnn(this.width, hidden, this.settings);
    this.hidden = this.#dnn.layers;
    this.norms = this.#dnn.norms;
    this.dropout = this.#dnn.dropout;
    this.output = new Linear(hidden.at(-1) as number, 1, { bias: false });
  }

  forward(batch: Batch): Tensor {
    const x = this.#dnn.forward(ops.concat(this.embed(batch)));
    return ops.add(this.output.forward(x), this.bias);
  }
}

/** The MLP of MAMDR over a dataset's schema. */
export function mlp(options: MlpOptions & ModelContext): Mlp {
  return new Mlp(options);
}
