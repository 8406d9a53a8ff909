import { BankLinear } from '../nn/bank.js';
import { Dropout } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';

/** Layers of each domain's own: linear, relu and dropout, and what is computed for it alone. */
export class BankDnn extends Module<[Operand, Operand], Operand> {
  readonly layers: BankLinear[] = [];
  readonly dropout: Dropout[] = [];

  constructor(slots: number, inputs: number, units: readonly number[], dropout: number) {
    super();
    let width = inputs;
    for (const size of units) {
      this.layers.push(new BankLinear(slots, width, size));
      this.dropout.push(new Dropout(dropout));
      width = size;
    }
  }

  forward(input: Operand, slot: Operand): Operand {
    return this.layers.reduce<Operand>(
      (x, layer, i) => (this.dropout[i] as Dropout).forward(ops.relu(layer.forward(x, slot))),
      input,
    );
  }
}

/** A tower per domain: its hidden layers and one logit without bias. */
export class Towers extends Module<[Operand, Operand], Tensor> {
  readonly hidden: BankDnn;
  readonly output: BankLinear;

  constructor(slots: number, inputs: number, units: readonly number[], dropout: number) {
    super();
    this.hidden = new BankDnn(slots, inputs, units, dropout);
    this.output = new BankLinear(slots, units.at(-1) ?? inputs, 1, { bias: false });
  }

  forward(input: Operand, slot: Operand): Tensor {
    return this.output.forward(this.hidden.forward(input, slot), slot);
  }
}

/** Sum of experts' outputs [rows, width], each weighted by its column of gate [rows, experts]. */
export function mixture(gate: Tensor, experts: readonly Operand[]): Tensor {
  return experts
    .map((expert, e) => ops.mul(ops.slice(gate, e, 1), expert))
    .reduce((sum, term) => ops.add(sum, term));
}
