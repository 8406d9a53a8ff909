import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import { Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { equalFieldShape, FieldModel, FirstOrder, pairwise } from './fields.js';

export const deepfmOptions = z.strictObject({
  ...equalFieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
});
export type DeepFmOptions = z.input<typeof deepfmOptions>;

/**
 * DeepFM (Guo et al. 2017): first-order weights, the sum of the fields' pairwise products, and the
 * MLP, over the same embeddings.
 */
export class DeepFm extends FieldModel<z.output<typeof deepfmOptions>> {
  /** Weights of the fields themselves. */
  readonly linear: FirstOrder;
  readonly dnn: Dnn;
  readonly output: Linear;

  constructor(options: DeepFmOptions & ModelContext) {
    super('deepfm', deepfmOptions, options, { equal: true });
    const { hidden, l2 } = this.settings;
    this.linear = new FirstOrder(this.schema, l2);
    this.dnn = new Dnn(this.width, hidden, this.settings);
    this.output = new Linear(hidden.at(-1) as number, 1, { bias: false });
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
