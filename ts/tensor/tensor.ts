import { AsyncLocalStorage } from 'node:async_hooks';
import { brand } from '../brand.js';
import { BusyError, DataError, ShapeError, TraceError } from '../errors.js';
import type { TypedArray } from '../native/addon.js';
import { addon } from '../native/load.js';
import { anyFunction, parse, shown } from '../options.js';
import { elementCount, requireShape } from './shape.js';
import type { Trace } from './trace.js';

/** Element types and the arrays that hold them. */
export interface ArrayOf {
  float32: Float32Array;
  float64: Float64Array;
  int32: Int32Array;
  uint8: Uint8Array;
}
export type DType = keyof ArrayOf;

const dtypeNames = new Map<unknown, DType>([
  [Float32Array, 'float32'],
  [Float64Array, 'float64'],
  [Int32Array, 'int32'],
  [Uint8Array, 'uint8'],
]);

type Source<D extends DType> =
  | { readonly kind: 'eager'; readonly data: ArrayOf[D]; readonly owned: boolean }
  | { readonly kind: 'symbolic'; readonly trace: Trace; readonly value: number };

/** An open scope: the tensors made in it, and the scope around it. */
interface Scope {
  readonly made: Set<Tensor>;
  readonly outer: Scope | undefined;
}

// Per asynchronous task: what other tasks make meanwhile is not this scope's.
const openScope = new AsyncLocalStorage<Scope>();

/**
 * A dense array: row-major values of one dtype. Eager tensors hold memory that native code reads
 * in place; inside a traced function a tensor stands for a value of the graph, and reading its
 * numbers throws TraceError.
 */
export class Tensor<D extends DType = DType> {
  readonly shape: readonly number[];
  readonly dtype: D;
  #source: Source<D> | undefined;

  /** @internal Use Tensor.from, Tensor.copyOf or an op. */
  constructor(dtype: D, shape: readonly number[], source: Source<D>) {
    this.dtype = dtype;
    this.shape = shape;
    this.#source = source;
    if (source.kind === 'eager' && source.owned) openScope.getStore()?.made.add(this);
  }

  /**
   * A tensor over a typed array's own memory: nothing is copied, and writing to the array writes
   * to the tensor. Throws ShapeError when the shape does not hold as many elements.
   */
  static from(data: Float32Array, shape?: readonly number[]): Tensor<'float32'>;
  static from(data: Float64Array, shape?: readonly number[]): Tensor<'float64'>;
  static from(data: Int32Array, shape?: readonly number[]): Tensor<'int32'>;
  static from(data: Uint8Array, shape?: readonly number[]): Tensor<'uint8'>;
  static from(data: TypedArray, shape?: readonly number[]): Tensor {
    const dtype = dtypeNames.get(Object(data).constructor);
    if (!dtype) {
      throw new ShapeError(
        `Tensor.from: ${shown(data)}; expected a Float32Array, Float64Array, Int32Array or Uint8Array`,
      );
    }
    if (shape === undefined)
      return new Tensor(dtype, [data.length], { kind: 'eager', data, owned: false });
    requireShape(shape, 'Tensor.from');
    const count = elementCount(shape);
    if (count !== data.length) {
      throw new ShapeError(
        `Tensor.from: ${data.length} elements of ${data.constructor.name} with shape [${shape}]; ` +
          `expected ${count} elements`,
      );
    }
    return new Tensor(dtype, [...shape], { kind: 'eager', data, owned: false });
  }

  /** A float32 tensor with a copy of `values`. Throws ShapeError when the shape does not hold as many, DataError for what are no numbers. */
  static copyOf(values: Iterable<number>, shape?: readonly number[]): Tensor<'float32'> {
    if (typeof values !== 'object' || !(Symbol.iterator in Object(values))) {
      throw new ShapeError(`Tensor.copyOf: ${shown(values)}; expected an array of numbers`);
    }
    // These hold numbers only.
    if (dtypeNames.has(values.constructor)) return Tensor.from(Float32Array.from(values), shape);
    const copied = [...values];
    const at = copied.findIndex((value) => typeof value !== 'number');
    if (at >= 0) {
      throw new DataError(`Tensor.copyOf: value ${at} is ${shown(copied[at])}; expected a number`);
    }
    return Tensor.from(Float32Array.from(copied), shape);
  }

  /** A live view of the values. Throws TraceError in a traced function, BusyError once disposed. */
  get data(): ArrayOf[D] {
    const source = this.#live();
    if (source.kind === 'eager') return source.data;
    throw new TraceError(
      'the values of a tensor were read while its model was traced; expected ops on tensors only',
    );
  }

  /** The only element. Throws ShapeError when there is more than one. */
  item(): number {
    const data = this.data;
    if (data.length === 1) return data[0] as number;
    throw new ShapeError(`item: shape [${this.shape}]; expected a tensor of one element`);
  }

  /** Whether the memory has been freed. */
  get disposed(): boolean {
    return this.#source === undefined;
  }

  /** Frees the memory now (that of Tensor.from stays its array's). Using the tensor then throws. */
  dispose(): void {
    const source = this.#source;
    this.#source = undefined;
    for (let open = openScope.getStore(); open; open = open.outer) open.made.delete(this);
    if (source?.kind === 'eager' && source.owned) {
      addon().release(source.data.buffer as ArrayBuffer);
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal The value in a trace, or undefined for an eager tensor. */
  symbolic(): { trace: Trace; value: number } | undefined {
    const source = this.#live();
    return source.kind === 'symbolic' ? source : undefined;
  }

  #live(): Source<D> {
    if (this.#source) return this.#source;
    throw new BusyError(
      `a tensor of shape [${this.shape}] was used after it was disposed; expected to use it before, or to return it from its scope`,
    );
  }
}

/** The tensors in a value: itself, or anywhere in its arrays and plain objects. */
function tensorsIn(value: unknown, found = new Set<Tensor>()): Set<Tensor> {
  if (value instanceof Tensor) found.add(value);
  else if (Array.isArray(value)) for (const item of value) tensorsIn(item, found);
  else if (value && Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) tensorsIn(item, found);
  }
  return found;
}

/**
 * Runs `body` and frees the tensors that ops made meanwhile, except those it returns (alone, in
 * arrays or in objects). With a promise, the scope lasts until it settles. Throws ConfigError for what is no function.
 */
export function scope<Result>(body: () => Result): Result {
  parse(anyFunction, body, 'scope');
  const outer = openScope.getStore();
  const own: Scope = { made: new Set(), outer };
  const leave = (result: unknown): void => {
    const kept = tensorsIn(result);
    for (const tensor of [...own.made]) if (!kept.has(tensor)) tensor.dispose();
    for (const tensor of kept) outer?.made.add(tensor);
  };
  return openScope.run(own, () => {
    let result: Result;
    try {
      result = body();
    } catch (error) {
      leave(undefined);
      throw error;
    }
    if (!(result instanceof Promise)) {
      leave(result);
      return result;
    }
    return result.then(
      (value: unknown) => {
        leave(value);
        return value;
      },
      (error: unknown) => {
        leave(undefined);
        throw error;
      },
    ) as Result;
  });
}

brand('Tensor', Tensor);
