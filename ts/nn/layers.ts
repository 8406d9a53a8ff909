import { brand } from '../brand.js';
import { ConfigError } from '../errors.js';
import type { NativeInitializer } from '../native/addon.js';
import { requireOptions, shown } from '../options.js';
import type { Operand } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, Parameter, type ParameterOptions } from './module.js';
import { requireSizes } from './sizes.js';

/** y = x W' + b with weight [out, in] (Glorot normal unless another start is given) and bias [out] (zeros). */
export class Linear extends Module<[Operand], Tensor> {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(
    inputs: number,
    outputs: number,
    options: { readonly bias?: boolean; readonly initializer?: NativeInitializer } = {},
  ) {
    super();
    requireSizes('Linear', { inputs, outputs });
    requireOptions(options, 'Linear');
    const deviation = Math.sqrt(2 / (inputs + outputs));
    this.weight = new Parameter([outputs, inputs], {
      initializer: options.initializer ?? { kind: 'normal', a: 0, b: deviation },
    });
    if (options.bias ?? true) this.bias = new Parameter([outputs]);
  }

  forward(x: Operand): Tensor {
    return ops.linear(x, this.weight, this.bias);
  }
}

/** Rows of a table [count, dim] (normal, deviation 1e-4) by int32 ids. */
export class Embedding extends Module<[Operand], Tensor> {
  readonly weight: Parameter;

  constructor(
    count: number,
    readonly dim: number,
    options: {
      readonly l2?: number;
      readonly deviation?: number;
      /** In place of the normal one. */
      readonly initializer?: NativeInitializer;
    } & Pick<ParameterOptions, 'trainable' | 'fill'> = {},
  ) {
    super();
    requireSizes('Embedding', { count, dim });
    const { deviation = 1e-4, ...own } = requireOptions(options, 'Embedding');
    this.weight = new Parameter([count, dim], {
      initializer: { kind: 'normal', a: 0, b: deviation },
      ...own,
      kind: 'table',
    });
  }

  forward(ids: Operand): Tensor {
    return ops.embedding(this.weight, ids);
  }

  /** Sum or mean of the rows of each of the bags ids [rows, width], in which -1 is none. */
  pool(ids: Operand, pooling: ops.Pooling): Tensor {
    return ops.embeddingBag(this.weight, ids, { pooling });
  }
}

let streams = 0;

/** Zeroes elements with probability `rate` in training; the identity elsewhere. */
export class Dropout extends Module<[Operand], Tensor> {
  /** Set by the model's compilation, so that two models of one shape draw alike. */
  stream = streams++;

  constructor(readonly rate: number) {
    super();
    if (!(typeof rate === 'number' && rate >= 0 && rate < 1)) {
      throw new ConfigError(`Dropout: rate ${shown(rate)}; expected a number in [0, 1)`);
    }
  }

  forward(x: Operand): Tensor {
    return ops.dropout(x, 1 - this.rate, this.stream);
  }
}

/** max(x, 0). */
export class Relu extends Module<[Operand], Tensor> {
  forward(x: Operand): Tensor {
    return ops.relu(x);
  }
}

/** Modules one after another. */
export class Sequential extends Module<[Operand], Operand> {
  readonly layers: readonly Module<[Operand], Operand>[];

  constructor(...layers: readonly Module<[Operand], Operand>[]) {
    super();
    for (const [i, layer] of layers.entries()) {
      if (layer instanceof Module) continue;
      throw new ConfigError(`Sequential: layer ${i} is ${shown(layer)}; expected a module`);
    }
    this.layers = layers;
  }

  forward(x: Operand): Operand {
    return this.layers.reduce<Operand>((value, layer) => layer.forward(value), x);
  }
}
brand('Dropout', Dropout);
