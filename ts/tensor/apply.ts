import { z } from 'zod';
import { ConfigError, ShapeError, TraceError } from '../errors.js';
import type { Attributes } from '../native/addon.js';
import { addon } from '../native/load.js';
import { parse, requireOptions, shown } from '../options.js';
import { type ArrayOf, type DType, Tensor } from './tensor.js';
import { currentTrace, type Trace } from './trace.js';

/** A tensor, or something that stands for one, such as a parameter of a module. */
export interface TensorLike {
  asTensor(): Tensor;
}
export type Operand = Tensor | TensorLike;

/** Throws ShapeError for what is neither. */
export function toTensor(operand: Operand, what = 'operand'): Tensor {
  if (operand instanceof Tensor) return operand;
  if (typeof (operand as Partial<TensorLike> | null)?.asTensor === 'function') {
    return operand.asTensor();
  }
  throw new ShapeError(`${what}: ${shown(operand)}; expected a tensor, such as Tensor.copyOf([2])`);
}

let randomSeed = 0;
let randomStep = 0;

/** Seeds the random numbers of eager ops (dropout). Throws ConfigError for another number than an integer from 0 on. */
export function manualSeed(seed: number): void {
  randomSeed = parse(z.int().gte(0), seed, 'manualSeed');
  randomStep = 0;
}

/** A value of a trace as a tensor. */
export function symbolicTensor(trace: Trace, value: number): Tensor {
  const node = trace.graph.node(value);
  return new Tensor(node.dtype, node.shape, { kind: 'symbolic', trace, value });
}

function requireCall(op: string, operands: readonly Operand[], attributes: Attributes): void {
  if (typeof op !== 'string') throw new ConfigError(`op: ${shown(op)}; expected the name of one`);
  if (!Array.isArray(operands)) {
    throw new ShapeError(`${op}: operands ${shown(operands)}; expected an array of tensors`);
  }
  for (const [name, value] of Object.entries(requireOptions(attributes, op))) {
    if (!Array.isArray(value) || value.every(Number.isInteger)) continue;
    throw new ConfigError(`${op}: ${name} ${shown(value)}; expected integers`);
  }
}

/**
 * Calls a native op by name: now, or as a node of the trace when an operand belongs to one. The op
 * table is that of `doctor`; this is how custom kernels are called. Throws ConfigError for an op or an attribute that
 * there is none of, ShapeError for operands that do not fit, and TraceError.
 */
export function apply(
  op: string,
  operands: readonly Operand[],
  attributes: Attributes = {},
): Tensor {
  requireCall(op, operands, attributes);
  const tensors = operands.map((operand, i) => toTensor(operand, `${op}: operand ${i}`));
  const trace = currentTrace();
  if (trace) {
    const values = tensors.map((tensor) => {
      const symbolic = tensor.symbolic();
      if (symbolic?.trace === trace) return symbolic.value;
      throw new TraceError(
        `${op}: a tensor from outside the traced function; expected inputs and parameters only`,
      );
    });
    return symbolicTensor(trace, trace.graph.add(op, values, attributes, ''));
  }
  return call(op, tensors, attributes, nextRandomStep());
}

/** @internal A step of the random numbers of eager ops, that nothing else draws at. */
export function nextRandomStep(): number {
  return randomStep++;
}

/** @internal Calls a native op now, its random numbers at a given step. */
export function call(
  op: string,
  tensors: readonly Tensor[],
  attributes: Attributes,
  step: number,
): Tensor {
  const values = tensors.map((tensor) => ({ data: tensor.data, shape: tensor.shape }));
  const { data, shape, dtype } = addon().call(op, values, attributes, randomSeed, step);
  return new Tensor<DType>(dtype, shape, {
    kind: 'eager',
    data: data as ArrayOf[DType],
    owned: true,
  });
}
