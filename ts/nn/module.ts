import { z } from 'zod';
import { brand } from '../brand.js';
import { ConfigError, TraceError } from '../errors.js';
import type { NativeInitializer, NativeParameterSpec } from '../native/addon.js';
import { anyFunction, parse } from '../options.js';
import { symbolicTensor, type TensorLike } from '../tensor/apply.js';
import * as ops from '../tensor/ops.js';
import { elementCount, requireShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { currentTrace } from '../tensor/trace.js';

const parameterOptions = z.object({
  kind: z.enum(['dense', 'table']).optional(),
  initializer: z
    .object({
      kind: z.enum(['zeros', 'constant', 'uniform', 'normal']),
      a: z.number(),
      b: z.number(),
    })
    .optional(),
  l2: z.number().gte(0).optional(),
  bank: z.boolean().optional(),
  trainable: z.boolean().optional(),
  fill: anyFunction.optional(),
});

export interface ParameterOptions {
  /** A table is read by embedding alone; only its touched rows are updated. */
  readonly kind?: 'dense' | 'table';
  readonly initializer?: NativeInitializer;
  /** Coefficient of the sum of squares, on what a step touches. */
  readonly l2?: number;
  /** Of a table: its rows are the domains' slots, of which a batch reads one. */
  readonly bank?: boolean;
  /** False: no optimizer and no strategy ever changes it; it is saved and loaded as the others are. */
  readonly trainable?: boolean;
  /**
   * Changes the values that the initializer drew, once, before the parameter is first used: to those of a
   * file, for instance. A generator function: at each `yield`, fit() lets other work have its turn. Not called
   * for a model that load() makes, whose values the run folder has.
   */
  readonly fill?: (values: Float32Array) => Iterable<unknown>;
}

/** A tensor of a module that its model keeps. Its name is its path in the model, given when that is compiled. */
export class Parameter implements TensorLike {
  name = '';
  #slots: number | undefined;

  /** Throws ShapeError, ConfigError. */
  constructor(
    private readonly own: readonly number[],
    readonly options: ParameterOptions = {},
  ) {
    requireShape(own, 'Parameter');
    parse(parameterOptions, options, 'Parameter');
  }

  /** Of its values; of one that was split [slots, values of a slot]. */
  get shape(): readonly number[] {
    return this.#slots ? [this.#slots, elementCount(this.own)] : this.own;
  }

  /** @internal Whether it has a slot per domain. */
  get isBank(): boolean {
    return this.#slots !== undefined || this.options.bank === true;
  }

  /** @internal From now on a dense parameter has `slots` slots; a trace reads that of the rows at hand. */
  split(slots: number): void {
    this.#slots = slots;
  }

  spec(): NativeParameterSpec {
    return {
      name: this.name,
      kind: this.#slots ? 'table' : (this.options.kind ?? 'dense'),
      shape: this.shape,
      initializer: this.options.initializer ?? { kind: 'zeros', a: 0, b: 0 },
      l2: this.options.l2 ?? 0,
      trainable: this.options.trainable ?? true,
      bank: this.isBank,
    };
  }

  asTensor(): Tensor {
    const trace = currentTrace();
    if (!trace || this.name === '') {
      throw new TraceError(
        'a parameter was read outside of the traced forward of its model; expected model.parameters() for its values',
      );
    }
    const whole = symbolicTensor(trace, trace.parameter(this.name, this.shape));
    if (!this.#slots) return whole;
    const slot = symbolicTensor(trace, trace.slot as number);
    return ops.reshape(ops.embedding(whole, slot), this.own);
  }
}

/**
 * A part of a model: parameters and modules are found among its properties (also in arrays and maps),
 * and their paths name them.
 */
export abstract class Module<Arguments extends unknown[] = never[], Result = unknown> {
  abstract forward(...inputs: Arguments): Result;

  /** Every parameter below, by path, in the order of the properties. */
  collect(): Map<string, Parameter> {
    const found = new Map<string, Parameter>();
    const visit = (value: unknown, path: string): void => {
      if (value instanceof Parameter) {
        if (found.has(path)) throw new ConfigError(`two parameters are named '${path}'`);
        found.set(path, value);
      } else if (value instanceof Map) {
        for (const [key, item] of value) visit(item, `${path}.${key}`);
      } else if (Array.isArray(value)) {
        value.forEach((item, i) => {
          visit(item, `${path}.${i}`);
        });
      } else if (value instanceof Module) {
        for (const [key, item] of Object.entries(value)) {
          visit(item, path === '' ? key : `${path}.${key}`);
        }
      }
    };
    visit(this, '');
    return found;
  }
}
brand('Parameter', Parameter);
brand('Module', Module);
