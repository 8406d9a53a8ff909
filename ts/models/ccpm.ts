import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import { Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import { Module, Parameter } from '../nn/module.js';
import { count } from '../options.js';
import * as ops from '../tensor/ops.js';
import { elementCount } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { equalFieldShape, FieldModel, FirstOrder } from './fields.js';

const convolution = z.strictObject({
  width: count.describe('Neighbouring fields that a value is made of'),
  filters: count.describe('Values made of them'),
});

export const ccpmOptions = z.strictObject({
  ...equalFieldShape,
  convolutions: z
    .array(convolution)
    .min(1)
    .default([
      { width: 6, filters: 4 },
      { width: 5, filters: 4 },
    ])
    .describe('Convolutions over the fields, one after another'),
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
});
export type CcpmOptions = z.input<typeof ccpmOptions>;

/**
 * How many values layer i of l keeps of n fields: flexible p-max pooling's (1 - (i / l)^(l - i)) n, and 3
 * of the last.
 */
function kept(layer: number, layers: number, fields: number): number {
  if (layer === layers) return 3;
  return Math.max(1, Math.floor((1 - (layer / layers) ** (layers - layer)) * fields));
}

/**
 * tanh of the k largest values of a convolution along the fields, in their order. They are taken before the bias
 * and tanh, which do not change the values' order.
 */
class ConvolutionLayer extends Module<[Tensor], Tensor> {
  /** [out, in, width] */
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    inputs: number,
    private readonly filters: number,
    width: number,
    private readonly k: number,
  ) {
    super();
    const bound = Math.sqrt(6 / (width * (inputs + filters)));
    this.weight = new Parameter([filters, inputs, width], {
      initializer: { kind: 'uniform', a: -bound, b: bound },
    });
    this.bias = new Parameter([filters]);
  }

  /** x [rows, in, fields, dim] to [rows, out, k, dim]. */
  forward(x: Tensor): Tensor {
    const largest = ops.kMaxPool(ops.conv1d(x, this.weight), { axis: 2, k: this.k });
    return ops.tanh(ops.add(largest, ops.reshape(this.bias, [this.filters, 1, 1])));
  }
}

/**
 * Convolutional Click Prediction Model (Liu et al. 2015) as DeepCTR has it: first-order weights beside
 * the MLP over convolutions of the fields. Layer i of l convolves along the fields, with zeros around
 * them, and keeps the k_i largest values of each dimension and filter, or all where there are fewer:
 * k_i = max(1, floor((1 - (i / l)^(l - i)) n)) of n fields, k_l = 3.
 *
 * As in the paper, and unlike in DeepCTR, which sorts them, the kept values stay in the order of the
 * fields. As in DeepCTR, and unlike in the paper, a convolution is as long as what it reads and all
 * dimensions share its weights.
 */
export class Ccpm extends FieldModel<z.output<typeof ccpmOptions>> {
  readonly linear: FirstOrder;
  readonly convolutions: ConvolutionLayer[] = [];
  readonly dnn: Dnn;
  readonly output: Linear;

  constructor(options: CcpmOptions & ModelContext) {
    super('ccpm', ccpmOptions, options, { equal: true });
    const { embeddingDim, convolutions, hidden, l2 } = this.settings;
    this.linear = new FirstOrder(this.schema, l2);
    let channels = 1;
    let length = this.fieldCount;
    convolutions.forEach(({ width, filters }, i) => {
      length = Math.min(length, kept(i + 1, convolutions.length, this.fieldCount));
      this.convolutions.push(new ConvolutionLayer(channels, filters, width, length));
      channels = filters;
    });
    this.dnn = new Dnn(channels * length * embeddingDim, hidden, this.settings);
    this.output = new Linear(hidden.at(-1) as number, 1, { bias: false });
  }

  forward(batch: Batch): Tensor {
    const { embeddingDim } = this.settings;
    const fields = ops.concat(this.embed(batch));
    const stacked = ops.reshape(fields, [-1, 1, this.fieldCount, embeddingDim]);
    const pooled = this.convolutions.reduce((x, layer) => layer.forward(x), stacked);
    const flat = elementCount(pooled.shape.slice(1));
    const deep = this.dnn.forward(ops.reshape(pooled, [-1, flat]));
    return ops.add(ops.add(this.linear.forward(batch), this.output.forward(deep)), this.bias);
  }
}

/** The Convolutional Click Prediction Model over a dataset's schema. */
export function ccpm(options: CcpmOptions & ModelContext): Ccpm {
  return new Ccpm(options);
}
