import { z } from 'zod';
import { BankLinear } from '../nn/bank.js';
import type { Batch } from '../nn/batch.js';
import type { ModelContext } from '../nn/model.js';
import { count } from '../options.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { FieldModel, fieldShape } from './fields.js';
import { BankDnn, mixture, Towers } from './towers.js';

export const mmoeOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128]).describe('Sizes of each expert'),
  experts: count.default(5),
  gate: units.default([64]).describe("Sizes of each domain's gate, before its softmax"),
  tower: units.default([64]).describe("Sizes of each domain's own layers"),
});
export type MmoeOptions = z.input<typeof mmoeOptions>;

/**
 * MMoE (Ma et al. 2018) as DeepCTR has it: experts for all, a gate per domain (layers, then a linear
 * one without bias and a softmax), a tower per domain over the gated sum of the experts.
 */
export class Mmoe extends FieldModel<z.output<typeof mmoeOptions>> {
  readonly experts: Dnn[];
  readonly gateLayers: BankDnn;
  readonly gates: BankLinear;
  readonly towers: Towers;

  constructor(options: MmoeOptions & ModelContext) {
    super('mmoe', mmoeOptions, options);
    const { hidden, experts, gate, tower } = this.settings;
    this.experts = Array.from(
      { length: experts },
      () => new Dnn(this.width, hidden, this.settings),
    );
    this.gateLayers = new BankDnn(this.slots, this.width, gate, this.settings);
    this.gates = new BankLinear(this.slots, gate.at(-1) as number, experts, { bias: false });
    this.towers = new Towers(this.slots, hidden.at(-1) as number, tower, this.settings);
  }

  forward(batch: Batch): Tensor {
    const x = ops.concat(this.embed(batch));
    const { slot } = batch;
    const gate = ops.softmax(this.gates.forward(this.gateLayers.forward(x, slot), slot));
    const mixed = mixture(
      gate,
      this.experts.map((expert) => expert.forward(x)),
    );
    return ops.add(this.towers.forward(mixed, slot), this.bias);
  }
}

/** MMoE over a dataset's schema. */
export function mmoe(options: MmoeOptions & ModelContext): Mmoe {
  return new Mmoe(options);
}
