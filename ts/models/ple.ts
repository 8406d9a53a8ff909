import { z } from 'zod';
import { BankLinear } from '../nn/bank.js';
import type { Batch } from '../nn/batch.js';
import { Linear } from '../nn/layers.js';
import type { ModelContext } from '../nn/model.js';
import { Module } from '../nn/module.js';
import { count } from '../options.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { FieldModel, fieldShape } from './fields.js';
import { BankDnn, mixture, Towers } from './towers.js';

export const pleOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([512, 256]).describe('Sizes of each expert'),
  specificExperts: count.default(5).describe('Experts of each domain, at each level'),
  sharedExperts: count.default(2).describe('Experts for all domains, at each level'),
  gate: units.default([64]).describe('Sizes of each gate, before its softmax'),
  tower: units.default([64]).describe("Sizes of each domain's own layers"),
  levels: count.default(1).describe('Extraction levels; 1 is CGC'),
});
export type PleOptions = z.input<typeof pleOptions>;

interface LevelSizes {
  readonly slots: number;
  readonly inputs: number;
  readonly options: z.output<typeof pleOptions>;
  readonly last: boolean;
}

/**
 * One level of customised gate control: a domain's gate over its own experts, then the shared ones;
 * but for the last level, a shared gate over the same experts for what goes up.
 */
class Level extends Module<
  [Operand, Operand, Operand],
  { own: Tensor; shared: Tensor | undefined }
> {
  readonly specific: BankDnn[];
  readonly shared: Dnn[];
  readonly gateLayers: BankDnn;
  readonly gates: BankLinear;
  readonly sharedGateLayers: Dnn | undefined;
  readonly sharedGate: Linear | undefined;

  constructor({ slots, inputs, options, last }: LevelSizes) {
    super();
    const { hidden, specificExperts, sharedExperts, gate } = options;
    const experts = specificExperts + sharedExperts;
    const times = <Made>(length: number, make: () => Made) => Array.from({ length }, make);
    this.specific = times(specificExperts, () => new BankDnn(slots, inputs, hidden, options));
    this.shared = times(sharedExperts, () => new Dnn(inputs, hidden, options));
    this.gateLayers = new BankDnn(slots, inputs, gate, options);
    this.gates = new BankLinear(slots, gate.at(-1) as number, experts, { bias: false });
    if (last) return;
    this.sharedGateLayers = new Dnn(inputs, gate, options);
    this.sharedGate = new Linear(gate.at(-1) as number, experts, { bias: false });
  }

  forward(own: Operand, shared: Operand, slot: Operand) {
    const experts = [
      ...this.specific.map((expert) => expert.forward(own, slot)),
      ...this.shared.map((expert) => expert.forward(shared)),
    ];
    const gate = this.gates.forward(this.gateLayers.forward(own, slot), slot);
    const up =
      this.sharedGateLayers && this.sharedGate?.forward(this.sharedGateLayers.forward(shared));
    return {
      own: mixture(ops.softmax(gate), experts),
      shared: up && mixture(ops.softmax(up), experts),
    };
  }
}

/**
 * PLE (Tang et al. 2020) as DeepCTR has it; CGC with one level. Only the experts of the domain at hand
 * are computed, so the shared gate of a lower level sees those and the shared ones, not all domains'.
 */
export class Ple extends FieldModel<z.output<typeof pleOptions>> {
  readonly levels: Level[] = [];
  readonly towers: Towers;

  constructor(options: PleOptions & ModelContext) {
    super('ple', pleOptions, options);
    const { hidden, levels, tower } = this.settings;
    const width = hidden.at(-1) as number;
    for (let level = 0; level < levels; level++) {
      const inputs = level === 0 ? this.width : width;
      const last = level + 1 === levels;
      this.levels.push(new Level({ slots: this.slots, inputs, options: this.settings, last }));
    }
    this.towers = new Towers(this.slots, width, tower, this.settings);
  }

  forward(batch: Batch): Tensor {
    const { slot } = batch;
    const x = ops.concat(this.embed(batch));
    let own = x;
    let shared = x;
    for (const level of this.levels) {
      const up = level.forward(own, shared, slot);
      own = up.own;
      shared = up.shared ?? shared;
    }
    return ops.add(this.towers.forward(own, slot), this.bias);
  }
}

/** PLE over a dataset's schema. */
export function ple(options: PleOptions & ModelContext): Ple {
  return new Ple(options);
}

/** CGC (Tang et al. 2020): PLE with one level. */
export function cgc(options: Omit<PleOptions, 'levels'> & ModelContext): Ple {
  return new Ple({ ...options, levels: 1 });
}
