import { describe, expect, it } from 'vitest';
import {
  apply,
  ConfigError,
  DataError,
  manualSeed,
  ops,
  ShapeError,
  scope,
  Tensor,
  valueAndGradients,
} from '../../ts/index.js';
import { errorOf } from '../error-of.js';

// What JavaScript lets through and TypeScript does not.

const wrong = (value: unknown) => value as never;
const vector = Tensor.copyOf([1, 2]);
const matrix = Tensor.copyOf([1, 2, 3, 4], [2, 2]);

describe('wrong arguments of tensors and ops', () => {
  type Case = [attempt: () => unknown, type: typeof ShapeError, message: RegExp];
  const cases: Record<string, Case> = {
    'a scope of a number': [() => scope(wrong(3)), ConfigError, /^scope: 3; expected a function/],
    'no function to differentiate': [
      () => valueAndGradients(wrong(null), [vector]),
      ConfigError,
      /^valueAndGradients: null; expected a function/,
    ],
    'numbers in place of tensors': [
      () => valueAndGradients((x) => ops.sum(x as Tensor), wrong([3])),
      ShapeError,
      /^valueAndGradients: \[3\]; expected an array of tensors/,
    ],
    'a seed that is none': [() => manualSeed(wrong('x')), ConfigError, /^manualSeed: "x"; exp/],
    'a seed with a fraction': [
      () => manualSeed(1.5),
      ConfigError,
      /^manualSeed: 1\.5; expected int/,
    ],
    'no values': [() => Tensor.from(wrong(null)), ShapeError, /^Tensor\.from: null; expected a Fl/],
    'values of another kind': [
      () => Tensor.from(wrong(Uint16Array.of(1))),
      ShapeError,
      /^Tensor\.from: Uint16Array of 2 bytes; expected a Float32Array/,
    ],
    'a number for a shape': [
      () => Tensor.from(Float32Array.of(1, 2), wrong(2)),
      ShapeError,
      /^Tensor\.from: shape 2; expected an array of sizes/,
    ],
    'a size below 0': [
      () => Tensor.copyOf([1, 2], [-1, -2]),
      ShapeError,
      /^Tensor\.from: shape \[-1,-2\]; expected an array of sizes/,
    ],
    'a size without end': [
      () => Tensor.copyOf([], [0, Number.POSITIVE_INFINITY]),
      ShapeError,
      /^Tensor\.from: shape .*; expected an array of sizes/,
    ],
    'nothing to copy': [() => Tensor.copyOf(wrong(null)), ShapeError, /^Tensor\.copyOf: null; exp/],
    'a length alone': [
      () => Tensor.copyOf(wrong({ length: 2 })),
      ShapeError,
      /^Tensor\.copyOf: {"length":2}; expected an array of numbers/,
    ],
    'texts to copy': [
      () => Tensor.copyOf(wrong([1, '2'])),
      DataError,
      /^Tensor\.copyOf: value 1 is "2"; expected a number/,
    ],
    'an op without a name': [() => apply(wrong(3), [vector]), ConfigError, /^op: 3; expected the/],
    'no operands': [
      () => apply('add', wrong(null)),
      ShapeError,
      /^add: operands null; expected an/,
    ],
    'a tensor for operands': [
      () => ops.concat(wrong(vector)),
      ShapeError,
      /^concat: operands .*; expected an array of tensors/,
    ],
    'no attributes': [
      () => apply('add', [vector, vector], wrong(null)),
      ConfigError,
      /^add: null; expected an object of options/,
    ],
    'a list of texts': [
      () => ops.reshape(vector, wrong(['x'])),
      ConfigError,
      /^reshape: shape \["x"\]; expected integers/,
    ],
    // It would be the sum of all.
    'an axis in place of options': [
      () => ops.sum(matrix, wrong(1)),
      ConfigError,
      /^sum: 1; expected an object of options/,
    ],
    'no options of a pool': [
      () => ops.kMaxPool(matrix, wrong(undefined)),
      ConfigError,
      /^kMaxPool: missing; expected an object of options/,
    ],
    'no options of batch normalisation': [
      () => ops.batchNorm(matrix, vector, vector, wrong(undefined)),
      ConfigError,
      /^batchNorm: missing; expected an object/,
    ],
    'no options of attention': [
      () => ops.attention(matrix, matrix, matrix, wrong(null)),
      ConfigError,
      /^attention: null; expected an object/,
    ],
    'null for a bias': [
      () => ops.linear(matrix, matrix, wrong(null)),
      ShapeError,
      /^linear: operand 2: null; expected a tensor/,
    ],
  };

  it.each(Object.entries(cases))('are told: %s', async (_, [attempt, type, message]) => {
    const error = await errorOf(attempt);
    expect(error).toBeInstanceOf(type);
    expect(error.message).toMatch(message);
  });

  it('leave the seed as it was', async () => {
    manualSeed(7);
    const first = [...ops.dropout(Tensor.copyOf(Array(64).fill(1)), 0.5).data];
    manualSeed(7);
    await errorOf(() => manualSeed(wrong({})));
    expect([...ops.dropout(Tensor.copyOf(Array(64).fill(1)), 0.5).data]).toEqual(first);
  });
});
