import { z } from 'zod';
import { Linear } from '../nn/layers.js';
import type { Batch, ModelContext } from '../nn/model.js';
import { parse } from '../options.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, FieldModel, FirstOrder, fieldShape, pairwise, units } from './fields.js';

export const nfmOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
});
export type NfmOptions = z.input<typeof nfmOptions>;

/**
 * Neural Factorization Machine (He and Chua 2017): first-order weights, and the MLP over the fields'
 * pairwise products, 1/2 [(sum e)^2 - sum e^2], element by element.
 */
export class Nfm extends FieldModel {
  /** Weights of the fields themselves. */
  readonly linear: FirstOrder;
  readonly dnn: Dnn;
  readonly output: Linear;
  readonly #options: z.output<typeof nfmOptions>;

  constructor({ schema, seed, ...options }: NfmOptions & ModelContext) {
    const settings = parse(nfmOptions, options, 'nfm');
    super({ schema, seed }, settings.embeddingDim, settings.l2);
    this.#options = settings;
    this.linear = new FirstOrder(schema, settings.l2);
    this.dnn = new Dnn(settings.embeddingDim, settings.hidden, settings.dropout);
    this.output = new Linear(settings.hidden.at(-1) as number, 1, { bias: false });
  }

  override describe() {
    return { name: 'nfm', options: this.#options };
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
