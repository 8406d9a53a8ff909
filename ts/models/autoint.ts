import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import { Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import { Module, Parameter } from '../nn/module.js';
import { count } from '../options.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { equalFieldShape, FieldModel, FirstOrder } from './fields.js';

export const autointOptions = z.strictObject({
  ...equalFieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
  layers: count.default(3).describe('Interacting layers'),
  heads: count.default(4).describe('Attention heads of a layer'),
  headDim: count.default(8).describe('Values per head and field'),
});
export type AutoIntOptions = z.input<typeof autointOptions>;

/**
 * Fields attend to each other: softmax of unscaled dot products per head, heads side by side, a
 * residual, relu; no bias (Song et al. 2019, equations 5 to 8).
 */
class InteractingLayer extends Module<[Tensor], Tensor> {
  readonly query: Parameter;
  readonly key: Parameter;
  readonly value: Parameter;
  readonly residual: Parameter;

  constructor(
    inputs: number,
    private readonly heads: number,
    headDim: number,
  ) {
    super();
    const weight = () =>
      new Parameter([heads * headDim, inputs], { initializer: { kind: 'normal', a: 0, b: 0.05 } });
    this.query = weight();
    this.key = weight();
    this.value = weight();
    this.residual = weight();
  }

  /** x [rows, fields, inputs] to [rows, fields, heads * headDim]. */
  forward(x: Tensor): Tensor {
    const project = (weight: Parameter) => ops.linear(x, weight);
    const { heads } = this;
    const attended = ops.attention(project(this.query), project(this.key), project(this.value), {
      heads,
    });
    return ops.relu(ops.add(attended, project(this.residual)));
  }
}

/**
 * AutoInt (Song et al. 2019) as DeepCTR has it: first-order weights, and one linear layer over the
 * interacting layers' fields beside the MLP's last hidden layer.
 */
export class AutoInt extends FieldModel<z.output<typeof autointOptions>> {
  readonly linear: FirstOrder;
  readonly interacting: InteractingLayer[] = [];
  readonly dnn: Dnn;
  readonly output: Linear;

  constructor(options: AutoIntOptions & ModelContext) {
    super('autoint', autointOptions, options, { equal: true });
    const { embeddingDim, hidden, layers, heads, headDim, l2 } = this.settings;
    this.linear = new FirstOrder(this.schema, l2);
    for (let layer = 0; layer < layers; layer++) {
      const inputs = layer === 0 ? embeddingDim : heads * headDim;
      this.interacting.push(new InteractingLayer(inputs, heads, headDim));
    }
    this.dnn = new Dnn(this.width, hidden, this.settings);
    const attended = this.fieldCount * heads * headDim;
    this.output = new Linear(attended + (hidden.at(-1) as number), 1, { bias: false });
  }

  forward(batch: Batch): Tensor {
    const { embeddingDim, heads, headDim } = this.settings;
    const fields = ops.concat(this.embed(batch));
    const stacked = ops.reshape(fields, [-1, this.fieldCount, embeddingDim]);
    const attended = this.interacting.reduce((x, layer) => layer.forward(x), stacked);
    const deep = this.dnn.forward(fields);
    const flat = ops.reshape(attended, [-1, this.fieldCount * heads * headDim]);
    const both = this.output.forward(ops.concat([flat, deep]));
    return ops.add(ops.add(this.linear.forward(batch), both), this.bias);
  }
}

/** AutoInt over a dataset's schema. */
export function autoint(options: AutoIntOptions & ModelContext): AutoInt {
  return new AutoInt(options);
}
