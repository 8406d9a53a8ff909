import { z } from 'zod';
import { type Dropout, Linear } from '../nn/layers.js';
import type { Batch, ModelContext } from '../nn/model.js';
import { parse } from '../options.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, FieldModel, fieldShape, units } from './fields.js';

export const mlpOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
});
export type MlpOptions = z.input<typeof mlpOptions>;

/**
 * Embedded features and domain id, concatenated, through relu layers to one logit: the base model
 * of MAMDR (section V). Defaults are its public configuration's.
 */
export class Mlp extends FieldModel {
  readonly hidden: Linear[];
  readonly dropout: Dropout[];
  readonly output: Linear;
  /** Not a property that parameters are looked for in: its layers are above, under short names. */
  readonly #dnn: Dnn;
  readonly #options: z.output<typeof mlpOptions>;

  constructor({ schema, seed, ...options }: MlpOptions & ModelContext) {
    const settings = parse(mlpOptions, options, 'mlp');
    super({ schema, seed }, settings.embeddingDim, settings.l2);
    this.#options = settings;
    this.#dnn = new Dnn(this.width, settings.hidden, settings.dropout);
    this.hidden = this.#dnn.layers;
    this.dropout = this.#dnn.dropout;
    this.output = new Linear(settings.hidden.at(-1) as number, 1, { bias: false });
  }

  override describe() {
    return { name: 'mlp', options: this.#options };
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
