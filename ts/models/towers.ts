import { BankLinear } from '../nn/bank.js';
import { Dropout } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { BankBatchNorm } from '../nn/norm.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { type Activation, activations, type LayerOptions } from './dnn.js';

/** Hidden layers of each domain's own, and what is computed for it alone: Dnn in slots of banks. */
export class BankDnn extends Module<[Operand, Operand], Operand> {
  readonly layers: BankLinear[] = [];
  /** None, or one per layer. */
  readonly norms: BankBatchNorm[] = [];
  readonly dropout: Dropout[] = [];
  readonly #activation: Activation;

  constructor(slots: number, inputs: number, units: readonly number[], options: LayerOptions) {
    super();
    this.#activation = options.activation;
    let width = inputs;
    for (const size of units) {
      // Batch normalisation takes away any bias below it.
      this.layers.push(new BankLinear(slots, width, size, { bias: !options.batchNorm }));
      if (options.batchNorm) this.norms.push(new BankBatchNorm(slots, size));
      this.dropout.push(new Dropout(options.dropout));
      width = size;
    }
  }

  forward(input: Operand, slot: Operand): Operand {
    return this.layers.reduce<Operand>((x, layer, i) => {
      const product = layer.forward(x, slot);
      const norm = this.norms[i];
      const active = activations[this.#activation](norm ? norm.forward(product, slot) : product);
      return (this.dropout[i] as Dropout).forward(active);
    }, input);
  }
}

/** A tower per domain: its hidden layers and one logit without bias. */
export class Towers extends Module<[Operand, Operand], Tensor> {
  readonly hidden: BankDnn;
  readonly output: BankLinear;

  constructor(slots: number, inputs: number, units: readonly number[], options: LayerOptions) {
    super();
    this.hidden = new BankDnn(slots, inputs, units, options);
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
