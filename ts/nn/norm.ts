import { z } from 'zod';
import { parse } from '../options.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, Parameter } from './module.js';
import { requireSizes } from './sizes.js';

const batchNormOptions = z.strictObject({
  momentum: z
    .number()
    .gte(0)
    .lt(1)
    .default(0.99)
    .describe("What is kept of the running statistics in a step (PyTorch's is 1 minus this)"),
  epsilon: z.number().gt(0).default(1e-3).describe('Added to the variance'),
});
export type BatchNormOptions = z.input<typeof batchNormOptions>;

const ones = { kind: 'constant', a: 1, b: 0 } as const;

/** A slot [1] of a table [slots, width] as a vector [width]. */
function slotOf(table: Parameter, slot: Operand): Tensor {
  return ops.reshape(ops.embedding(table, slot), [table.shape[1] as number]);
}

/**
 * Batch normalisation of x [rows, features] (Ioffe and Szegedy 2015): by the mean and the biased
 * variance of the batch in training, by their running averages elsewhere. Defaults and the sense of
 * momentum are those of Keras: average = momentum * average + (1 - momentum) * value. The averages are
 * buffers: strategies never interpolate or roll them back, the best state and checkpoints bring them
 * back, and a domain's own values come with averages of its own.
 */
export class BatchNorm1d extends Module<[Operand], Tensor> {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly runningMean: Parameter;
  readonly runningVar: Parameter;
  readonly #options: z.output<typeof batchNormOptions>;

  constructor(features: number, options: BatchNormOptions = {}) {
    super();
    requireSizes('BatchNorm1d', { features });
    this.#options = parse(batchNormOptions, options, 'BatchNorm1d');
    this.weight = new Parameter([features], { initializer: ones });
    this.bias = new Parameter([features]);
    this.runningMean = new Parameter([features], { trainable: false });
    this.runningVar = new Parameter([features], { initializer: ones, trainable: false });
  }

  forward(x: Operand): Tensor {
    const { momentum, epsilon } = this.#options;
    return ops.batchNorm(x, this.weight, this.bias, {
      epsilon,
      running: { mean: this.runningMean, variance: this.runningVar, momentum },
    });
  }
}

/** BatchNorm1d with scale, shift and running statistics of each domain's own, in slots of tables. */
export class BankBatchNorm extends Module<[Operand, Operand], Tensor> {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly runningMean: Parameter;
  readonly runningVar: Parameter;
  readonly #options: z.output<typeof batchNormOptions>;

  constructor(slots: number, features: number, options: BatchNormOptions = {}) {
    super();
    requireSizes('BankBatchNorm', { slots, features });
    this.#options = parse(batchNormOptions, options, 'BankBatchNorm');
    const table = (options: object) =>
      new Parameter([slots, features], { kind: 'table', bank: true, ...options });
    this.weight = table({ initializer: ones });
    this.bias = table({});
    this.runningMean = table({ trainable: false });
    this.runningVar = table({ initializer: ones, trainable: false });
  }

  /** x [rows, features] through the slot [1] of the rows' domain. */
  forward(x: Operand, slot: Operand): Tensor {
    return this.normalize(x, slotOf(this.weight, slot), slotOf(this.bias, slot), slot);
  }

  /** By the slot's statistics, with another scale and shift [features]. */
  protected normalize(x: Operand, weight: Operand, bias: Operand, slot: Operand): Tensor {
    const { momentum, epsilon } = this.#options;
    const mean = slotOf(this.runningMean, slot);
    const variance = slotOf(this.runningVar, slot);
    return ops.batchNorm(x, weight, bias, { epsilon, running: { mean, variance, momentum } });
  }
}

/**
 * Partitioned normalisation of STAR (Sheng et al. 2021, equations 2 to 4): statistics of each domain's
 * own, scale gamma * gamma_d and shift beta + beta_d with a part that all domains share.
 */
export class PartitionedNorm extends BankBatchNorm {
  readonly sharedWeight: Parameter;
  readonly sharedBias: Parameter;

  constructor(slots: number, features: number, options: BatchNormOptions = {}) {
    super(slots, features, options);
    this.sharedWeight = new Parameter([features], { initializer: ones });
    this.sharedBias = new Parameter([features]);
  }

  override forward(x: Operand, slot: Operand): Tensor {
    const weight = ops.mul(this.sharedWeight, slotOf(this.weight, slot));
    const bias = ops.add(this.sharedBias, slotOf(this.bias, slot));
    return this.normalize(x, weight, bias, slot);
  }
}
