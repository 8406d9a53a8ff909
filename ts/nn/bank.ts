import type { NativeInitializer } from '../native/addon.js';
import { requireOptions } from '../options.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, Parameter } from './module.js';
import { requireSizes } from './sizes.js';

/**
 * A linear layer of each domain's own: slot d of the bank is domain d's weight [out, in] and bias
 * [out]. The slots are rows of tables, so that a step touches its domain's slot alone: the others
 * get no update, no momentum and no decay, and marks, overlays and checkpoints cost what was used.
 */
export class BankLinear extends Module<[Operand, Operand], Tensor> {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  /** Weights are Glorot normal unless another start is given, biases zero. */
  constructor(
    slots: number,
    private readonly inputs: number,
    private readonly outputs: number,
    options: { readonly bias?: boolean; readonly initializer?: NativeInitializer } = {},
  ) {
    super();
    requireSizes('BankLinear', { slots, inputs, outputs });
    requireOptions(options, 'BankLinear');
    const deviation = Math.sqrt(2 / (inputs + outputs));
    this.weight = new Parameter([slots, outputs * inputs], {
      kind: 'table',
      bank: true,
      initializer: options.initializer ?? { kind: 'normal', a: 0, b: deviation },
    });
    if (!(options.bias ?? true)) return;
    this.bias = new Parameter([slots, outputs], { kind: 'table', bank: true });
  }

  /** x [rows, in] through the slot [1] of the rows' domain: [rows, out]. */
  forward(x: Operand, slot: Operand): Tensor {
    return ops.linear(x, this.weightOf(slot), this.biasOf(slot));
  }

  /** The weight [out, in] of a slot [1]. */
  weightOf(slot: Operand): Tensor {
    return ops.reshape(ops.embedding(this.weight, slot), [this.outputs, this.inputs]);
  }

  /** The bias [out] of a slot [1]; undefined without biases. */
  biasOf(slot: Operand): Tensor | undefined {
    return this.bias && ops.reshape(ops.embedding(this.bias, slot), [this.outputs]);
  }
}
