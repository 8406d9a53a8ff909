import { z } from 'zod';
import { Dropout, Linear } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { BatchNorm1d } from '../nn/norm.js';
import { count } from '../options.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';

export const units = z.array(count).min(1);

/** What may stand between two layers. */
export const activations = { relu: ops.relu, tanh: ops.tanh, sigmoid: ops.sigmoid } as const;
export type Activation = keyof typeof activations;

/** Options of hidden layers. */
export const layerShape = {
  dropout: z.number().gte(0).lt(1).default(0.5).describe('Behind each hidden layer'),
  activation: z
    .enum(Object.keys(activations) as [Activation, ...Activation[]])
    .default('relu')
    .describe('Of the hidden layers'),
  batchNorm: z
    .boolean()
    .default(false)
    .describe('Batch normalisation before the activation of each hidden layer'),
};
export type LayerOptions = z.output<z.ZodObject<typeof layerShape>>;

/** The activation of a layer's products, which are normalised before if there is a norm. */
export function activate(products: Tensor, norm: BatchNorm1d | undefined, activation: Activation) {
  return activations[activation](norm ? norm.forward(products) : products);
}

/** Hidden layers: linear, batch normalisation if wanted, activation and dropout, also behind the last. */
export class Dnn extends Module<[Operand], Operand> {
  readonly layers: Linear[] = [];
  /** None, or one per layer. */
  readonly norms: BatchNorm1d[] = [];
  readonly dropout: Dropout[] = [];
  readonly #activation: Activation;

  constructor(inputs: number, sizes: readonly number[], options: LayerOptions) {
    super();
    this.#activation = options.activation;
    let width = inputs;
    for (const size of sizes) {
      // Batch normalisation takes away any bias below it.
      this.layers.push(new Linear(width, size, { bias: !options.batchNorm }));
      if (options.batchNorm) this.norms.push(new BatchNorm1d(size));
      this.dropout.push(new Dropout(options.dropout));
      width = size;
    }
  }

  forward(input: Operand): Operand {
    return this.layers.reduce<Operand>((x, layer, i) => {
      const active = activate(layer.forward(x), this.norms[i], this.#activation);
      return (this.dropout[i] as Dropout).forward(active);
    }, input);
  }
}
