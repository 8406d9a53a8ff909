import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import { Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import { count } from '../options.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { FieldModel, fieldShape } from './fields.js';
import { mixture, Towers } from './towers.js';

export const moeOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128]).describe('Sizes of each expert'),
  experts: count.default(5),
  tower: units.default([64]).describe("Sizes of each domain's own layers"),
});
export type MoeOptions = z.input<typeof moeOptions>;

/**
 * Mixture of experts (Jacobs et al. 1991): experts under one linear softmax gate for all domains (the
 * one-gate form of Ma et al. 2018), a tower per domain over their gated sum.
 */
export class Moe extends FieldModel<z.output<typeof moeOptions>> {
  readonly experts: Dnn[];
  readonly gate: Linear;
  readonly towers: Towers;

  constructor(options: MoeOptions & ModelContext) {
    super('moe', moeOptions, options);
    const { hidden, experts, tower } = this.settings;
    this.experts = Array.from(
      { length: experts },
      () => new Dnn(this.width, hidden, this.settings),
    );
    this.gate = new Linear(this.width, experts, { bias: false });
    this.towers = new Towers(this.slots, hidden.at(-1) as number, tower, this.settings);
  }

  forward(batch: Batch): Tensor {
    const x = ops.concat(this.embed(batch));
    const mixed = mixture(
      ops.softmax(this.gate.forward(x)),
      this.experts.map((expert) => expert.forward(x)),
    );
    return ops.add(this.towers.forward(mixed, batch.slot), this.bias);
  }
}

/** The mixture of experts over a dataset's schema. */
export function moe(options: MoeOptions & ModelContext): Moe {
  return new Moe(options);
}
