import { z } from 'zod';
import { ConfigError } from '../errors.js';
import type { NativeInitializer } from '../native/addon.js';
import { BankLinear } from '../nn/bank.js';
import type { Batch } from '../nn/batch.js';
import { Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import { Module, type Parameter } from '../nn/module.js';
import { BatchNorm1d, PartitionedNorm } from '../nn/norm.js';
import { count } from '../options.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { units } from './dnn.js';
import { embeddingShape, FieldModel } from './fields.js';

export const starOptions = z.strictObject({
  ...embeddingShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
  norm: z
    .enum(['none', 'bn', 'pn'])
    .default('pn')
    .describe('Of the inputs: none, batch normalisation, or partitioned by domain'),
  dense: z
    .enum(['dense', 'star'])
    .default('star')
    .describe("Hidden layers: shared alone, or shared ones times each domain's own"),
  domainStart: z
    .enum(['ones', 'glorot'])
    .default('ones')
    .describe("Start of the domains' own weights: neutral, or as in MAMDR's public code"),
  auxiliary: z
    .boolean()
    .default(false)
    .describe('One layer of each domain alone, added to the last hidden layer'),
  auxiliaryDim: count.optional().describe('Its size: that of the last hidden layer'),
});
export type StarOptions = z.input<typeof starOptions>;

const ones = { kind: 'constant', a: 1, b: 0 } as const;

/** Uniform within the square root of 6 / (inputs + outputs); Keras counts a table of `slots` weights as one. */
function glorotUniform(inputs: number, outputs: number, slots = 1): NativeInitializer {
  const limit = Math.sqrt(6 / (slots * (inputs + outputs)));
  return { kind: 'uniform', a: -limit, b: limit };
}

/**
 * relu(W x + b). In the star topology W is the shared weight times the domain's own, element by element, and b
 * the sum of a shared bias and the domain's own.
 */
class Layer extends Module<[Operand, Operand], Tensor> {
  readonly shared: Linear;
  readonly own: BankLinear | undefined;

  constructor(shared: Linear, own?: BankLinear) {
    super();
    this.shared = shared;
    this.own = own;
  }

  forward(x: Operand, slot: Operand): Tensor {
    const { shared, own } = this;
    if (!own) return ops.relu(shared.forward(x));
    const weight = ops.mul(shared.weight, own.weightOf(slot));
    const bias = ops.add(shared.bias as Parameter, own.biasOf(slot) as Tensor);
    return ops.relu(ops.linear(x, weight, bias));
  }
}

/**
 * STAR (Sheng et al. 2021) as MAMDR's public code has it. The concatenated fields x are normalised once, with
 * statistics, scale and shift by domain: gamma gamma_d (x - mean_d) / sqrt(variance_d + 1e-3) + beta + beta_d.
 * They pass layers relu((W * W_d) x + b + b_d), then a linear layer that all domains share. The auxiliary net
 * is one layer of each domain's own over the normalised fields, added to the last hidden layer; the paper's is
 * a small network whose logit is added. What has an index d is a bank. W_d starts at one, so that all domains
 * start from the shared layers; 'glorot' is the public code's start. There is no dropout.
 */
export class Star extends FieldModel<z.output<typeof starOptions>> {
  readonly norm: PartitionedNorm | BatchNorm1d | undefined;
  readonly layers: Layer[];
  readonly auxiliary: BankLinear | undefined;
  readonly output: Linear;

  /** Throws ConfigError, also for an auxiliary layer that does not fit the last hidden one. */
  constructor(options: StarOptions & ModelContext) {
    super('star', starOptions, options, { initializer: { kind: 'uniform', a: -0.05, b: 0.05 } });
    const { slots, width } = this;
    const { hidden, norm, dense, domainStart, auxiliary, auxiliaryDim } = this.settings;
    const last = hidden.at(-1) as number;
    if (auxiliaryDim !== undefined && auxiliaryDim !== last) {
      throw new ConfigError(
        `star.auxiliaryDim: ${auxiliaryDim}; expected ${last}, the size of the last hidden layer`,
      );
    }
    if (norm === 'pn') this.norm = new PartitionedNorm(slots, width);
    if (norm === 'bn') this.norm = new BatchNorm1d(width);
    const ofDomains = (inputs: number, size: number) =>
      domainStart === 'ones' ? ones : glorotUniform(inputs, size, slots);
    this.layers = hidden.map((size, i) => {
      const inputs = hidden[i - 1] ?? width;
      const shared = new Linear(inputs, size, { initializer: glorotUniform(inputs, size) });
      if (dense === 'dense') return new Layer(shared);
      const initializer = ofDomains(inputs, size);
      return new Layer(shared, new BankLinear(slots, inputs, size, { initializer }));
    });
    if (auxiliary) {
      this.auxiliary = new BankLinear(slots, width, last, {
        initializer: glorotUniform(width, last),
      });
    }
    this.output = new Linear(last, 1, { bias: false, initializer: glorotUniform(last, 1) });
  }

  forward(batch: Batch): Tensor {
    const { slot } = batch;
    const fields = ops.concat(this.embed(batch));
    const x =
      this.norm instanceof PartitionedNorm
        ? this.norm.forward(fields, slot)
        : (this.norm?.forward(fields) ?? fields);
    const hidden = this.layers.reduce((input, layer) => layer.forward(input, slot), x);
    const own = this.auxiliary && ops.relu(this.auxiliary.forward(x, slot));
    return ops.add(this.output.forward(own ? ops.add(hidden, own) : hidden), this.bias);
  }
}

/** STAR over a dataset's schema. */
export function star(options: StarOptions & ModelContext): Star {
  return new Star(options);
}
