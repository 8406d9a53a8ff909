import { z } from 'zod';
import { Linear } from '../nn/layers.js';
import type { Batch, ModelContext } from '../nn/model.js';
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
class InteractingLayer extends Module<[readonly Tensor[]], Tensor[]> {
  readonly query: Parameter;
  readonly key: Parameter;
  readonly value: Parameter;
  readonly residual: Parameter;

  constructor(
    inputs: number,
    private readonly heads: number,
    private readonly headDim: number,
  ) {
    super();
    const weight = () =>
      new Parameter([heads * headDim, inputs], { initializer: { kind: 'normal', a: 0, b: 0.05 } });
    this.query = weight();
    this.key = weight();
    this.value = weight();
    this.residual = weight();
  }

  forward(fields: readonly Tensor[]): Tensor[] {
    const project = (weight: Parameter) => fields.map((field) => ops.linear(field, weight));
    const queries = project(this.query);
    const keys = project(this.key);
    const values = project(this.value);
    return project(this.residual).map((residual, f) => {
      const heads = Array.from({ length: this.heads }, (_, head) => {
        const own = (all: Tensor) => ops.slice(all, head * this.headDim, this.headDim);
        const query = own(queries[f] as Tensor);
        const scores = keys.map((key) =>
          ops.sum(ops.mul(query, own(key)), { axis: 1, keepDims: true }),
        );
        const attention = ops.softmax(ops.concat(scores));
        return values
          .map((value, g) => ops.mul(ops.slice(attention, g, 1), own(value)))
          .reduce((sum, term) => ops.add(sum, term));
      });
      return ops.relu(ops.add(ops.concat(heads), residual));
    });
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
    const fields = this.embed(batch);
    const attended = this.interacting.reduce((x, layer) => layer.forward(x), fields);
    const deep = this.dnn.forward(ops.concat(fields));
    const both = this.output.forward(ops.concat([...attended, deep]));
    return ops.add(ops.add(this.linear.forward(batch), both), this.bias);
  }
}

/** AutoInt over a dataset's schema. */
export function autoint(options: AutoIntOptions & ModelContext): AutoInt {
  return new AutoInt(options);
}
