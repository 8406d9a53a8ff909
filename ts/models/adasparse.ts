import { z } from 'zod';
import { addLoss } from '../nn/add-loss.js';
import type { Batch } from '../nn/batch.js';
import { Dropout, Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import { Module } from '../nn/module.js';
import { BatchNorm1d } from '../nn/norm.js';
import { positive } from '../options.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { activate, units } from './dnn.js';
import { FieldModel, fieldShape } from './fields.js';

const share = z.number().gte(0).lte(1);

export const adasparseOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128, 64]).describe('Sizes of the hidden layers'),
  factors: z
    .enum(['binarization', 'scaling', 'fusion'])
    .default('fusion')
    .describe('What neurons are weighted by: 0 or 1, a scale, or 0 or a scale'),
  alpha: positive.default(5).describe('Sharpness of the factors (not of scaling)'),
  beta: z.number().gte(1).default(2).describe('Largest scale (not of binarization)'),
  epsilon: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.25)
    .describe('Factors of this at most become 0 (not of scaling)'),
  sparsity: z
    .tuple([share, share])
    .refine(([least, most]) => least <= most, 'expected [least, most] with least <= most')
    .default([0.15, 0.25])
    .describe("Range of a layer's share of pruned neurons that costs nothing (not of scaling)"),
  sparsityWeight: z
    .number()
    .gte(0)
    .default(0.01)
    .describe('Of the squared distance to the middle of that range'),
});
export type AdaSparseOptions = z.input<typeof adasparseOptions>;
type Settings = z.output<typeof adasparseOptions>;

/** 1 where x > 0 (1e-20 at least, and so any difference of larger float32 numbers), else 0; without gradient. */
function isPositive(x: Operand): Tensor {
  const large = ops.relu(ops.scale(x, 1e20));
  const below = ops.relu(ops.addScalar(ops.neg(large), 1));
  return ops.stopGradient(ops.addScalar(ops.neg(below), 1));
}

/** Domain-aware pruner of a layer's neurons: v = W [domain, neurons] + b, and factors of it. */
class Pruner extends Module<[Operand, Operand], Tensor> {
  readonly linear: Linear;
  readonly #settings: Settings;

  constructor(domain: number, neurons: number, settings: Settings) {
    super();
    this.linear = new Linear(domain + neurons, neurons);
    this.#settings = settings;
  }

  /** Factors [rows, neurons]; adds the cost of their sparsity to what training minimises. */
  forward(domain: Operand, neurons: Operand): Tensor {
    const { factors, alpha, beta, epsilon } = this.#settings;
    const v = this.linear.forward(ops.concat([domain, neurons]));
    if (factors === 'scaling') return ops.scale(ops.sigmoid(v), beta);
    const gate = ops.sigmoid(ops.scale(v, alpha));
    const soft = factors === 'fusion' ? ops.scale(gate, beta) : gate;
    const kept = isPositive(ops.addScalar(soft, -epsilon));
    // Straight through: the step has the gradient of what it cuts.
    const hard = ops.add(kept, ops.sub(soft, ops.stopGradient(soft)));
    addLoss(this.#cost(hard));
    return factors === 'fusion' ? ops.mul(soft, kept) : hard;
  }

  #cost(kept: Tensor): Tensor {
    const { sparsity, sparsityWeight, hidden } = this.#settings;
    const [least, most] = sparsity;
    const pruned = ops.addScalar(ops.neg(ops.mean(kept)), 1);
    const distance = ops.addScalar(pruned, -(least + most) / 2);
    const isOutside = isPositive(ops.addScalar(ops.abs(distance), -(most - least) / 2));
    return ops.scale(ops.mul(isOutside, ops.square(distance)), sparsityWeight / hidden.length);
  }
}

/**
 * AdaSparse (Yang et al. 2022): each hidden layer h is multiplied by factors that a pruner makes of the
 * embedded domain and the layer, so that every domain has a sparse network of its own. With v = W [domain, h] + b
 * they are, by `factors`,
 * - binarization: 1 where s = sigmoid(alpha v) > epsilon, else 0;
 * - scaling: beta sigmoid(v);
 * - fusion: s = beta sigmoid(alpha v) where s > epsilon, else 0.
 * With r the mean of the range `sparsity` and r_l the share of a layer's pruned neurons in a batch, training
 * also minimises sparsityWeight times the mean over layers of (r_l - r)^2 where r_l is outside of the range.
 *
 * Its authors' code is not public: formulas, beta, the range and the ends of alpha are from accounts of the
 * paper, epsilon from public reimplementations. Chosen here: factors multiply what the activation gives; the
 * step's gradient is that of s (straight through); alpha and the weight of the sparsity are constant, where
 * the paper raises them in training (alpha from 0.1 to 5; as factors start near beta / 2, a sharp start prunes
 * next to nothing); scaling, which prunes nothing, has no sparsity.
 */
export class AdaSparse extends FieldModel<Settings> {
  readonly hidden: Linear[] = [];
  readonly pruners: Pruner[] = [];
  readonly norms: BatchNorm1d[] = [];
  readonly dropout: Dropout[] = [];
  readonly output: Linear;

  constructor(options: AdaSparseOptions & ModelContext) {
    super('adasparse', adasparseOptions, options);
    const { hidden, dropout, batchNorm } = this.settings;
    let { width } = this;
    for (const size of hidden) {
      this.hidden.push(new Linear(width, size, { bias: !batchNorm }));
      this.pruners.push(new Pruner(this.domainWidth, size, this.settings));
      if (batchNorm) this.norms.push(new BatchNorm1d(size));
      this.dropout.push(new Dropout(dropout));
      width = size;
    }
    this.output = new Linear(width, 1, { bias: false });
  }

  forward(batch: Batch): Tensor {
    const fields = this.embed(batch);
    const domain = fields.at(-1) as Tensor;
    let x: Operand = ops.concat(fields);
    this.hidden.forEach((layer, i) => {
      const active = activate(layer.forward(x), this.norms[i], this.settings.activation);
      const factors = (this.pruners[i] as Pruner).forward(domain, active);
      x = (this.dropout[i] as Dropout).forward(ops.mul(factors, active));
    });
    return ops.add(this.output.forward(x), this.bias);
  }
}

/** AdaSparse over a dataset's schema. */
export function adasparse(options: AdaSparseOptions & ModelContext): AdaSparse {
  return new AdaSparse(options);
}
