import { z } from 'zod';
import { Linear } from '../nn/layers.js';
import type { Batch, ModelContext } from '../nn/model.js';
import { parse } from '../options.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, FieldModel, FirstOrder, fieldShape, pairwise, units } from './fields.js';

export const deepfmOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
});
export type DeepFmOptions = z.input<typeof deepfmOptions>;

/**
 * DeepFM (Guo et al. 2017): first-order weights, the sum of the fields' pairwise products, and the
 * MLP, over the same embeddings.
 */
export class DeepFm extends FieldModel {
  /** Weights of the fields themselves. */
  readonly linear: FirstOrder;
  readonly dnn: Dnn;
  readonly output: Linear;
  readonly #options: z.output<typeof deepfmOptions>;

  constructor({ schema, seed, ...options }: DeepFmOptions & ModelContext) {
    const settings = parse(deepfmOptions, options, 'deepfm');
    super({ schema, seed }, settings.embeddingDim, settings.l2);
    this.#options = settings;
    this.linear = new FirstOrder(schema, settings.l2);
    this.dnn = new Dnn(this.width, settings.hidden, settings.dropout);
    this.output = new Linear(settings.hidden.at(-1) as number, 1, { bias: false });
  }

  override describe() {
    return { name: 'deepfm', options: this.#options };
  }

  forward(batch: Batch): Tensor {
    const fields = this.embed(batch);
    const products = ops.sum(pairwise(fields), { axis: 1, keepDims: true });
    const deep = this.output.forward(this.dnn.forward(ops.concat(fields)));
    const shallow = ops.add(this.linear.forward(batch), products);
    return ops.add(ops.add(shallow, deep), this.bias);
  }
}

/** DeepFM over a dataset's schema. */
export function deepfm(options: DeepFmOptions & ModelContext): DeepFm {
  return new DeepFm(options);
}
