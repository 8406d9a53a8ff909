import { requireOptions } from '../options.js';
import { apply, type Operand } from './apply.js';
import type { Tensor } from './tensor.js';

/** Elementwise ops broadcast as NumPy's do; shapes that do not fit throw ShapeError. */
export const add = (a: Operand, b: Operand): Tensor => apply('add', [a, b]);
export const sub = (a: Operand, b: Operand): Tensor => apply('sub', [a, b]);
export const mul = (a: Operand, b: Operand): Tensor => apply('mul', [a, b]);
export const div = (a: Operand, b: Operand): Tensor => apply('div', [a, b]);
export const maximum = (a: Operand, b: Operand): Tensor => apply('maximum', [a, b]);
export const minimum = (a: Operand, b: Operand): Tensor => apply('minimum', [a, b]);
export const neg = (x: Operand): Tensor => apply('neg', [x]);
export const exp = (x: Operand): Tensor => apply('exp', [x]);
export const log = (x: Operand): Tensor => apply('log', [x]);
export const sqrt = (x: Operand): Tensor => apply('sqrt', [x]);
export const square = (x: Operand): Tensor => apply('square', [x]);
export const abs = (x: Operand): Tensor => apply('abs', [x]);
export const relu = (x: Operand): Tensor => apply('relu', [x]);
export const sigmoid = (x: Operand): Tensor => apply('sigmoid', [x]);
export const tanh = (x: Operand): Tensor => apply('tanh', [x]);
export const softplus = (x: Operand): Tensor => apply('softplus', [x]);
/** x * factor. */
export const scale = (x: Operand, factor: number): Tensor => apply('scale', [x], { factor });
/** x + value. */
export const addScalar = (x: Operand, value: number): Tensor => apply('add_scalar', [x], { value });

/** Over one axis, or over everything when none is given. */
export interface Reduction {
  readonly axis?: number;
  readonly keepDims?: boolean;
}
export const sum = (x: Operand, options: Reduction = {}): Tensor =>
  apply('sum', [x], { ...requireOptions(options, 'sum') });
export const mean = (x: Operand, options: Reduction = {}): Tensor =>
  apply('mean', [x], { ...requireOptions(options, 'mean') });
export const max = (x: Operand, options: Reduction = {}): Tensor =>
  apply('max', [x], { ...requireOptions(options, 'max') });
/**
 * The k largest values along an axis, of equal ones the first, in the order in which they stand (Kalchbrenner et
 * al. 2014, section 3.2). A NaN counts as infinity does. ShapeError for an axis of fewer than k.
 */
export const kMaxPool = (
  x: Operand,
  options: { readonly axis: number; readonly k: number },
): Tensor => apply('k_max_pool', [x], { ...requireOptions(options, 'kMaxPool') });
/** Over the last axis. */
export const softmax = (x: Operand): Tensor => apply('softmax', [x]);
export const logSoftmax = (x: Operand): Tensor => apply('log_softmax', [x]);

/**
 * Attention of the fields of each row to each other: query, key and value [rows, fields, values], every field's values
 * being those of `heads` heads side by side. Of a head, field f gets the sum over fields g of softmax over g
 * (query_f . key_g) value_g: products are not scaled (Song et al. 2019, equations 5 and 6). Throws ShapeError
 * for shapes that differ, ConfigError for heads that do not divide the values.
 */
export const attention = (
  query: Operand,
  key: Operand,
  value: Operand,
  options: { readonly heads: number },
): Tensor => apply('attention', [query, key, value], { ...requireOptions(options, 'attention') });

/** Along the last axis. */
export const concat = (parts: readonly Operand[]): Tensor => apply('concat', parts);
/** Columns [start, start + length) of the last axis. */
export const slice = (x: Operand, start: number, length: number): Tensor =>
  apply('slice', [x], { start, length });
/** As many elements in another shape; one size may be -1. */
export const reshape = (x: Operand, shape: readonly number[]): Tensor =>
  apply('reshape', [x], { shape });

/**
 * The value while a program trains: once the loss is known to be finite, buffer = momentum * buffer +
 * (1 - momentum) * value. The buffer when it scores or evaluates. The buffer is a parameter with
 * `trainable: false`, or one slot of such a table. Outside of a model it is the value.
 */
export const runningAverage = (value: Operand, buffer: Operand, momentum = 0.99): Tensor =>
  apply('running_average', [value, buffer], { momentum });

/** Averages [width] of a batch's statistics, which take their place outside of training. */
export interface RunningMoments {
  readonly mean: Operand;
  readonly variance: Operand;
  readonly momentum: number;
}
/**
 * Batch normalisation (Ioffe and Szegedy 2015) of the columns of x [rows, width]:
 * (x - mean) / sqrt(variance + epsilon) * weight + bias, all [width], with the rows' own mean and
 * biased variance.
 */
export const batchNorm = (
  x: Operand,
  weight: Operand,
  bias: Operand,
  options: { readonly epsilon: number; readonly running?: RunningMoments },
): Tensor => {
  const { epsilon, running } = requireOptions(options, 'batchNorm');
  const mean = apply('mean', [x], { axis: 0 });
  const variance = apply('variance', [x, mean]);
  const average = (value: Tensor, buffer: Operand | undefined) =>
    running && buffer ? runningAverage(value, buffer, running.momentum) : value;
  const moments = [average(mean, running?.mean), average(variance, running?.variance)];
  return apply('batch_norm', [x, weight, bias, ...moments], { epsilon });
};

/** The value itself, through which no gradient passes. */
export const stopGradient = (x: Operand): Tensor => apply('stop_gradient', [x]);

/** a [m, k] times b [k, n]; either may be read transposed. */
export const matmul = (
  a: Operand,
  b: Operand,
  options: { readonly transposeA?: boolean; readonly transposeB?: boolean } = {},
): Tensor => apply('matmul', [a, b], { ...requireOptions(options, 'matmul') });
/** x [.., in] times weight [out, in] transposed, plus bias [out]: PyTorch's layout. */
export const linear = (x: Operand, weight: Operand, bias?: Operand): Tensor =>
  apply('linear', bias === undefined ? [x, weight] : [x, weight, bias]);
/**
 * x [rows, in, length, ..] convolved along the length with weight [out, in, width], without a bias and with zeros
 * around, to [rows, out, length, ..]: PyTorch's conv1d of padding 'same', for each of the values behind.
 */
export const conv1d = (x: Operand, weight: Operand): Tensor => apply('conv1d', [x, weight]);
/** Rows of table [n, dim] by int32 ids [..]: [.., dim]. Ids out of range throw DataError. */
export const embedding = (table: Operand, ids: Operand): Tensor => apply('embedding', [table, ids]);
/** How a bag's rows become one. */
export type Pooling = 'sum' | 'mean';
/**
 * Sum or mean of the rows of table [n, dim] by int32 ids [rows, width], of which -1 is none:
 * [rows, dim], zeros for a row without ids (PyTorch's EmbeddingBag). Ids out of range throw DataError.
 */
export const embeddingBag = (
  table: Operand,
  ids: Operand,
  options: { readonly pooling: Pooling },
): Tensor => apply('embedding_bag', [table, ids], { ...requireOptions(options, 'embeddingBag') });
/** Keeps each element with probability `keep`, scaled by 1 / keep; `stream` names the sequence. */
export const dropout = (x: Operand, keep: number, stream = 0): Tensor =>
  apply('dropout', [x], { keep, stream });
/**
 * Mean binary cross entropy of logits and labels, both [rows] or [rows, 1]: a scalar. With weights of
 * the rows, the mean over the rows of weight times cross entropy (PyTorch's reduction mean).
 */
export const bceWithLogits = (logits: Operand, labels: Operand, weights?: Operand): Tensor =>
  apply('bce_with_logits', weights === undefined ? [logits, labels] : [logits, labels, weights]);
