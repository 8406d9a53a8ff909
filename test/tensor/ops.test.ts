import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  apply,
  BusyError,
  ConfigError,
  DataError,
  manualSeed,
  ops,
  PolydomainError,
  random,
  ShapeError,
  scope,
  Tensor,
  TraceError,
  valueAndGradients,
} from '../../ts/index.js';

interface Options {
  readonly factor?: number;
  readonly value?: number;
  readonly axis?: number;
  readonly keepDims?: boolean;
  readonly start?: number;
  readonly length?: number;
  readonly epsilon?: number;
  readonly shape?: readonly number[];
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly k?: number;
  readonly heads?: number;
}
interface Value {
  readonly shape: number[];
  readonly data: number[];
}
interface Case {
  readonly op: Tested;
  readonly name: string;
  readonly options: Options;
  readonly inputs: (Value & { readonly dtype: 'float32' | 'int32' })[];
  /** The gradients are those of the sum of output times weights, `total`. */
  readonly weights: number[];
  readonly output: Value;
  readonly total: number;
  readonly gradients: (number[] | null)[];
}
const { cases } = JSON.parse(
  readFileSync(new URL('../fixtures/ops.json', import.meta.url), 'utf8'),
) as { cases: Case[] };

/** Dropout is random and stopGradient has no gradient: they have tests of their own below. */
type Tested = Exclude<keyof typeof ops, 'dropout' | 'stopGradient'>;
type Run = (inputs: readonly Tensor[], options: Options) => Tensor;

const unary =
  (op: (x: Tensor) => Tensor): Run =>
  ([x]) =>
    op(x as Tensor);
const binary =
  (op: (a: Tensor, b: Tensor) => Tensor): Run =>
  ([a, b]) =>
    op(a as Tensor, b as Tensor);

const run: Record<Tested, Run> = {
  add: binary(ops.add),
  sub: binary(ops.sub),
  mul: binary(ops.mul),
  div: binary(ops.div),
  maximum: binary(ops.maximum),
  minimum: binary(ops.minimum),
  neg: unary(ops.neg),
  exp: unary(ops.exp),
  log: unary(ops.log),
  sqrt: unary(ops.sqrt),
  square: unary(ops.square),
  abs: unary(ops.abs),
  relu: unary(ops.relu),
  sigmoid: unary(ops.sigmoid),
  tanh: unary(ops.tanh),
  softplus: unary(ops.softplus),
  scale: ([x], { factor }) => ops.scale(x as Tensor, factor as number),
  addScalar: ([x], { value }) => ops.addScalar(x as Tensor, value as number),
  sum: ([x], options) => ops.sum(x as Tensor, options),
  mean: ([x], options) => ops.mean(x as Tensor, options),
  max: ([x], options) => ops.max(x as Tensor, options),
  kMaxPool: ([x], { axis, k }) =>
    ops.kMaxPool(x as Tensor, { axis: axis as number, k: k as number }),
  softmax: unary(ops.softmax),
  logSoftmax: unary(ops.logSoftmax),
  concat: (parts) => ops.concat(parts),
  slice: ([x], { start, length }) => ops.slice(x as Tensor, start as number, length as number),
  reshape: ([x], { shape }) => ops.reshape(x as Tensor, shape as number[]),
  matmul: ([a, b], options) => ops.matmul(a as Tensor, b as Tensor, options),
  linear: ([x, weight, bias]) => ops.linear(x as Tensor, weight as Tensor, bias),
  conv1d: binary(ops.conv1d),
  attention: ([query, key, value], { heads }) =>
    ops.attention(query as Tensor, key as Tensor, value as Tensor, { heads: heads as number }),
  embedding: binary(ops.embedding),
  embeddingBag: ([table, ids], options) =>
    ops.embeddingBag(table as Tensor, ids as Tensor, options as { pooling: ops.Pooling }),
  bceWithLogits: ([logits, labels, weights]) =>
    ops.bceWithLogits(logits as Tensor, labels as Tensor, weights),
  batchNorm: ([x, weight, bias], { epsilon }) =>
    ops.batchNorm(x as Tensor, weight as Tensor, bias as Tensor, { epsilon: epsilon as number }),
  runningAverage: binary(ops.runningAverage),
};

function inputsOf({ inputs }: Case): Tensor[] {
  return inputs.map(({ dtype, shape, data }) =>
    dtype === 'int32' ? ints(data, shape) : floats(data, shape),
  );
}
const floats = (data: Iterable<number>, shape?: readonly number[]) => Tensor.copyOf(data, shape);
const ints = (data: Iterable<number>, shape?: readonly number[]) =>
  Tensor.from(Int32Array.from(data), shape);
const zeros = (...shape: number[]) =>
  floats(new Float32Array(shape.reduce((product, size) => product * size, 1)), shape);

/** |a - b| / |b|, or |a - b| beside zeros (and beside nothing). */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] as number) - (b[i] as number)) ** 2;
    norm += (b[i] as number) ** 2;
  }
  return Math.sqrt(norm === 0 ? difference : difference / norm);
}

function expectClose(actual: Tensor | undefined, { shape, data }: Value, what: string): void {
  expect(actual?.shape, what).toEqual(shape);
  expect(actual?.dtype, what).toBe('float32');
  const values = actual?.data as Float32Array;
  expect(values, what).toHaveLength(data.length);
  expect(distance(values, data), what).toBeLessThanOrEqual(1e-5);
}

/** The value of an op now, and the same from a traced function: errors must not differ. */
const ways: [string, (inputs: Tensor[], body: (tensors: readonly Tensor[]) => Tensor) => void][] = [
  ['eagerly', (inputs, body) => body(inputs)],
  [
    'in a trace',
    (inputs, body) => valueAndGradients((...tensors) => ops.sum(body(tensors)), inputs),
  ],
];

describe('ops beside PyTorch', () => {
  it('has a case of every op', () => {
    const own = ['dropout', 'stopGradient'];
    const exported = Object.keys(ops).filter((name) => !own.includes(name));
    expect([...new Set(cases.map(({ op }) => op))].sort()).toEqual(exported.sort());
  });

  describe.each(Object.keys(run) as Tested[])('%s', (op) => {
    const own = cases.filter((one) => one.op === op).map((one) => [one.name, one] as const);

    it.each(own)('%s', (_, one) => {
      scope(() => expectClose(run[op](inputsOf(one), one.options), one.output, 'output'));
    });

    it.each(own)('%s: gradients', (_, one) => {
      const weights = floats(one.weights, one.output.shape);
      const inputs = inputsOf(one);
      const { value, gradients } = valueAndGradients(
        (...tensors) => {
          const traced = tensors.slice(0, -1);
          return ops.sum(ops.mul(run[op](traced, one.options), tensors.at(-1) as Tensor));
        },
        [...inputs, weights],
      );
      // Terms of both signs cancel in the total: its rounding is relative to their sizes.
      const sizes = one.output.data.map((x, i) => Math.abs(x * (one.weights[i] as number)));
      const size = sizes.reduce((sum, term) => sum + term, 0);
      expect(value.shape).toEqual([]);
      expect(Math.abs(value.item() - one.total)).toBeLessThanOrEqual(1e-5 * size);
      // The gradient of the weights is the traced output.
      expectClose(gradients.at(-1), one.output, 'traced output');
      one.gradients.forEach((data, i) => {
        const input = one.inputs[i] as Value;
        if (data === null) expect(gradients[i], `input ${i}`).toBeUndefined();
        else expectClose(gradients[i], { shape: input.shape, data }, `gradient of input ${i}`);
      });
    });
  });

  it('adds up the gradients of a tensor that is used twice', () => {
    const x = floats([1, -2, 3]);
    const { value, gradients } = valueAndGradients(
      (t) => ops.sum(ops.add(ops.mul(t, t), ops.scale(t, 3))),
      [x],
    );
    expect(value.item()).toBe(20);
    expect([...(gradients[0] as Tensor).data]).toEqual([5, -1, 9]);
  });

  // Whole vectors and what is left of one: they must not differ.
  const sizes = [1, 7, 33];
  const filled = (count: number, value: number) => floats(new Float32Array(count).fill(value));
  it.each(['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const)(
    '%s keeps a NaN on either side',
    (op) => {
      for (const count of sizes) {
        const nan = filled(count, Number.NaN);
        const one = filled(count, 1);
        expect(run[op]([nan, one], {}).data, 'of NaN and 1').toEqual(nan.data);
        expect(run[op]([one, nan], {}).data, 'of 1 and NaN').toEqual(nan.data);
      }
    },
  );

  const alone = ['neg', 'exp', 'log', 'sqrt', 'square', 'abs', 'relu', 'sigmoid', 'tanh'] as const;
  it.each([...alone, 'softplus', 'softmax', 'logSoftmax'] as const)('%s keeps NaN', (op) => {
    for (const count of sizes) {
      const nan = filled(count, Number.NaN);
      expect(run[op]([nan], {}).data).toEqual(nan.data);
    }
  });

  it.each([0, 2])('kMaxPool takes NaN before numbers, at %d', (at) => {
    const values = [1, 2, 3];
    values[at] = Number.NaN;
    expect(ops.kMaxPool(floats(values), { axis: 0, k: 1 }).item()).toBeNaN();
  });

  it.each([0, -1])('kMaxPool refuses to take %d', (k) => {
    expect(() => ops.kMaxPool(zeros(3), { axis: 0, k })).toThrow(ConfigError);
    expect(() => ops.kMaxPool(zeros(3), { axis: 0, k })).toThrow(/k_max_pool: k .*; expected/);
  });

  it.each([3, 0, -2])('attention refuses %d heads of four values', (heads) => {
    const x = zeros(2, 3, 4);
    expect(() => ops.attention(x, x, x, { heads })).toThrow(ConfigError);
    expect(() => ops.attention(x, x, x, { heads })).toThrow(
      /attention: heads .*; expected a divisor/,
    );
  });

  it('attention keeps a NaN in the row that has it', () => {
    const x = new Float32Array(12).fill(1);
    x[8] = Number.NaN;
    const query = floats(x, [2, 3, 2]);
    const { data } = ops.attention(query, query, query, { heads: 1 });
    expect([...data.subarray(0, 6)]).toEqual(new Array(6).fill(1));
    expect([...data.subarray(6)].every(Number.isNaN)).toBe(true);
  });

  it.each(['sum', 'mean', 'max'] as const)('%s keeps NaN wherever it stands', (op) => {
    for (let at = 0; at < 33; at++) {
      const values = new Float32Array(33);
      values[at] = Number.NaN;
      expect(run[op]([floats(values)], { axis: 0 }).item()).toBeNaN();
    }
  });

  it('takes an option that is undefined as one left out', () => {
    const x = floats([1, 2, 3, 4], [2, 2]);
    expect(ops.sum(x, { axis: undefined, keepDims: undefined }).item()).toBe(10);
    expect([...ops.matmul(x, x, { transposeA: undefined }).data]).toEqual([7, 10, 15, 22]);
  });

  it('reshapes to whole numbers only', () => {
    const x = zeros(2, 3);
    expect(() => ops.reshape(x, [2.5, 3])).toThrow(PolydomainError);
    expect(() => ops.reshape(x, [Number.NaN, 0])).toThrow(PolydomainError);
  });

  it.each([
    ['float32', Tensor.from(Float32Array.of(1, 2))],
    ['float64', Tensor.from(Float64Array.of(1, 2))],
    ['int32', Tensor.from(Int32Array.of(1, 2))],
    ['uint8', Tensor.from(Uint8Array.of(1, 2))],
  ])('gives %s another shape and no other type', (dtype, x) => {
    const column = ops.reshape(x, [2, 1]);
    expect(column.shape).toEqual([2, 1]);
    expect(column.data).toEqual(x.data);
    expect(column.dtype).toBe(dtype);
  });

  it('looks up ids that got another shape', () => {
    const ids = ints([2, 0, 1, 2], [2, 2]);
    const table = floats([1, 2, 3, 4, 5, 6], [3, 2]);
    const { gradients } = valueAndGradients(
      (t, i) => ops.sum(ops.embedding(t, ops.reshape(i, [4]))),
      [table, ids],
    );
    expect([...(gradients[0] as Tensor).data]).toEqual([1, 1, 1, 1, 2, 2]);
    expect(gradients[1]).toBeUndefined();
  });
});

describe('values beyond one chunk of work', () => {
  // Small integers: sums of these are exact, in any order.
  const count = 40_007;
  const numbers = Float32Array.from({ length: count }, (_, i) => ((i * 7) % 11) - 5);
  const total = numbers.reduce((sum, value) => sum + value, 0);

  it('are all computed by elementwise ops, also when one side is broadcast', () => {
    const x = floats(numbers);
    expect(ops.square(x).data).toEqual(numbers.map((value) => value * value));
    expect(ops.add(x, floats([2])).data).toEqual(numbers.map((value) => value + 2));
    const rows = ops.sub(floats(numbers, [count, 1]), floats([1, 2], [2]));
    expect(rows.shape).toEqual([count, 2]);
    expect(rows.data).toEqual(
      Float32Array.from({ length: 2 * count }, (_, i) => {
        return (numbers[i >> 1] as number) - 1 - (i % 2);
      }),
    );
  });

  it('are all summed', () => {
    expect(ops.sum(floats(numbers)).item()).toBe(total);
    expect([...ops.sum(floats(numbers, [count, 1]), { axis: 0 }).data]).toEqual([total]);
    const two = ops.sum(ops.concat([floats(numbers, [count, 1]), floats(numbers, [count, 1])]), {
      axis: 0,
    });
    expect([...two.data]).toEqual([total, total]);
    const { gradients } = valueAndGradients(
      (x, bias) => ops.sum(ops.mul(x, bias)),
      [floats(numbers, [count, 1]), zeros(1)],
    );
    expect([...(gradients[1] as Tensor).data]).toEqual([total]);
  });

  it('are all averaged in a loss', () => {
    const labels = numbers.map((value) => (value > 0 ? 1 : 0));
    let sum = 0;
    const slopes = new Float64Array(count);
    numbers.forEach((z, i) => {
      sum += Math.max(z, 0) - z * (labels[i] as number) + Math.log1p(Math.exp(-Math.abs(z)));
      slopes[i] = (1 / (1 + Math.exp(-z)) - (labels[i] as number)) / count;
    });
    const { value, gradients } = valueAndGradients(ops.bceWithLogits, [
      floats(numbers),
      floats(labels),
    ]);
    expect(Math.abs(value.item() - sum / count)).toBeLessThan((1e-5 * sum) / count);
    expect(distance((gradients[0] as Tensor).data, slopes)).toBeLessThan(1e-5);
  });

  it('are all multiplied', () => {
    const width = 97;
    const rows = 400;
    const a = numbers.subarray(0, rows * width);
    const b = numbers.subarray(1, 1 + width * width);
    const product = ops.matmul(floats(a, [rows, width]), floats(b, [width, width]));
    const expected = new Float32Array(rows * width);
    for (let i = 0; i < rows; i++) {
      for (let k = 0; k < width; k++) {
        const left = a[i * width + k] as number;
        for (let j = 0; j < width; j++) {
          expected[i * width + j] =
            (expected[i * width + j] as number) + left * (b[k * width + j] as number);
        }
      }
    }
    expect(product.data).toEqual(expected);
  });
});

describe('stopGradient', () => {
  it('is the value itself, as a constant', () => {
    const x = floats([1, -2, 3]);
    expect([...ops.stopGradient(x).data]).toEqual([1, -2, 3]);
    const { value, gradients } = valueAndGradients(
      (t) => ops.sum(ops.mul(t, ops.stopGradient(t))),
      [x],
    );
    expect(value.item()).toBe(14);
    // Of x * x it would be 2 x.
    expect([...(gradients[0] as Tensor).data]).toEqual([1, -2, 3]);
  });
});

describe('dropout', () => {
  const count = 20_003;
  const keep = 0.7;
  const numbers = Float32Array.from({ length: count }, (_, i) => 1 + (i % 13) / 8);
  let x = floats(numbers);
  beforeEach(() => {
    x = floats(numbers);
    manualSeed(11);
  });
  afterEach(() => manualSeed(0));

  it('keeps the asked share, scaled so that the mean stays', () => {
    const data = Float32Array.from(ops.dropout(x, keep).data);
    const kept = data.filter((value) => value !== 0).length;
    // Four standard deviations of the binomial distribution.
    const margin = 4 * Math.sqrt(count * keep * (1 - keep));
    expect(Math.abs(kept - keep * count)).toBeLessThan(margin);
    const ideal = numbers.map((value, i) => (data[i] === 0 ? 0 : value / keep));
    // float32 holds neither 0.7 nor its inverse.
    expect(distance(data, ideal)).toBeLessThan(2e-7);
  });

  it('drops elements without a pattern of rows or vectors', () => {
    const { data } = ops.dropout(floats(new Float32Array(16_384).fill(1), [1024, 16]), 0.5);
    for (let column = 0; column < 16; column++) {
      const kept = data.filter((value, i) => i % 16 === column && value !== 0).length;
      expect(Math.abs(kept - 512), `column ${column}`).toBeLessThan(4 * 16);
    }
  });

  it('has the same bits for the same seed, other ones for another seed, step or stream', () => {
    const draw = (seed: number, stream?: number) => {
      manualSeed(seed);
      return ops.dropout(x, keep, stream).data;
    };
    const first = draw(11);
    expect(ops.dropout(x, keep).data).not.toEqual(first);
    expect(draw(11)).toEqual(first);
    expect(draw(12)).not.toEqual(first);
    expect(draw(11, 1)).not.toEqual(first);
    expect(draw(11, 1)).toEqual(draw(11, 1));
  });

  it('draws an element alike whatever stands behind it', () => {
    const whole = ops.dropout(x, keep).data;
    for (const length of [1, 7, 33, 5_001]) {
      manualSeed(11);
      const part = ops.dropout(floats(numbers.subarray(0, length)), keep).data;
      expect(part).toEqual(whole.slice(0, length));
    }
  });

  it('is the identity when all are kept, also of no rows', () => {
    expect(ops.dropout(x, 1).data).toEqual(numbers);
    expect(ops.dropout(zeros(0, 3), keep).shape).toEqual([0, 3]);
  });

  it('has a gradient of what it kept', () => {
    const { value, gradients } = valueAndGradients((t) => ops.sum(ops.dropout(t, keep, 3)), [x]);
    const gradient = Float32Array.from((gradients[0] as Tensor).data);
    const kept = new Set(gradient);
    expect(kept.size).toBe(2);
    expect(kept).toContain(0);
    // A linear function is its gradient times its input: the mask is that of the value.
    const product = gradient.reduce((sum, slope, i) => sum + slope * (numbers[i] as number), 0);
    expect(Math.abs(product - value.item())).toBeLessThan(1e-5 * value.item());
  });

  it.each([0, -0.5, 1.5, Number.NaN])('refuses to keep a share of %d', (share) => {
    expect(() => ops.dropout(x, share)).toThrow(ConfigError);
    expect(() => ops.dropout(x, share)).toThrow(/dropout: keep .*expected a probability/);
  });
});

describe.each(ways)('shapes that do not fit, %s', (_, compute) => {
  const misfits: [string, Tensor[], (tensors: readonly Tensor[]) => Tensor, RegExp][] = [
    ...(['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const).map(
      (op): [string, Tensor[], (tensors: readonly Tensor[]) => Tensor, RegExp] => [
        op,
        [zeros(2, 3), zeros(4)],
        (tensors) => run[op](tensors, {}),
        new RegExp(`^${op}: .*\\[2, 3\\] and \\[4\\]; expected`),
      ],
    ),
    [
      'matmul',
      [zeros(2, 3), zeros(4, 5)],
      (tensors) => run.matmul(tensors, {}),
      /^matmul: .*\[2, 3\] and \[4, 5\]; expected/,
    ],
    [
      'matmul of transposed tensors',
      [zeros(2, 3), zeros(3, 4)],
      (tensors) => run.matmul(tensors, { transposeA: true }),
      /^matmul: .*\[2, 3\] and \[3, 4\]; expected/,
    ],
    [
      'matmul of vectors',
      [zeros(3), zeros(3, 2)],
      (tensors) => run.matmul(tensors, {}),
      /^matmul: .*\[3\] and \[3, 2\]; expected/,
    ],
    [
      'linear: weight',
      [zeros(2, 3), zeros(5, 4)],
      (tensors) => run.linear(tensors, {}),
      /^linear: .*\[2, 3\] and \[5, 4\]; expected/,
    ],
    [
      'linear: bias',
      [zeros(2, 3), zeros(5, 3), zeros(4)],
      (tensors) => run.linear(tensors, {}),
      /^linear: .*\[2, 3\], \[5, 3\] and \[4\]; expected/,
    ],
    [
      'concat',
      [zeros(2, 3), zeros(4, 3)],
      (tensors) => run.concat(tensors, {}),
      /^concat: .*\[2, 3\] and \[4, 3\]; expected/,
    ],
    [
      'slice',
      [zeros(2, 3)],
      (tensors) => run.slice(tensors, { start: 2, length: 2 }),
      /^slice: .*\[2, 3\]; expected .*\[2, 2 \+ 2\)/,
    ],
    [
      'reshape',
      [zeros(2, 3)],
      (tensors) => run.reshape(tensors, { shape: [4, 2] }),
      /^reshape: .*\[2, 3\]; expected .*\[4, 2\]/,
    ],
    [
      'reshape with an open size',
      [zeros(2, 3)],
      (tensors) => run.reshape(tensors, { shape: [4, -1] }),
      // The library's word for an open size is that of the leading one, rows.
      /^reshape: .*\[2, 3\]; expected .*\[4, (-1|rows)\]/,
    ],
    [
      'bceWithLogits',
      [zeros(3), zeros(4)],
      (tensors) => run.bceWithLogits(tensors, {}),
      /^bce_with_logits: .*\[3\] and \[4\]; expected/,
    ],
    [
      'bceWithLogits of two columns',
      [zeros(3, 2), zeros(3, 2)],
      (tensors) => run.bceWithLogits(tensors, {}),
      /^bce_with_logits: .*\[3, 2\] and \[3, 2\]; expected/,
    ],
    [
      'embedding: ids that are not int32',
      [zeros(4, 2), zeros(3)],
      (tensors) => run.embedding(tensors, {}),
      /^embedding: .*\[4, 2\] and \[3\]; expected int32 ids/,
    ],
    [
      'embedding: table of one dimension',
      [zeros(4), ints([0, 1])],
      (tensors) => run.embedding(tensors, {}),
      /^embedding: .*\[4\] and int32 \[2\]; expected/,
    ],
    ...(['sum', 'mean', 'max'] as const).map(
      (op): [string, Tensor[], (tensors: readonly Tensor[]) => Tensor, RegExp] => [
        op,
        [zeros(2, 3)],
        (tensors) => run[op](tensors, { axis: 2 }),
        new RegExp(`^${op}: .*\\[2, 3\\]; expected`),
      ],
    ),
    [
      'max of nothing',
      [zeros(2, 0)],
      (tensors) => run.max(tensors, { axis: 1 }),
      /^max: .*\[2, 0\]; expected/,
    ],
    [
      'kMaxPool of fewer values',
      [zeros(2, 3)],
      (tensors) => run.kMaxPool(tensors, { axis: 1, k: 4 }),
      /^k_max_pool: .*\[2, 3\]; expected .*4 at least/,
    ],
    [
      'kMaxPool of no such axis',
      [zeros(2, 3)],
      (tensors) => run.kMaxPool(tensors, { axis: 2, k: 1 }),
      /^k_max_pool: .*\[2, 3\]; expected/,
    ],
    [
      'conv1d: channels',
      [zeros(2, 3, 4), zeros(5, 2, 3)],
      (tensors) => run.conv1d(tensors, {}),
      /^conv1d: .*\[2, 3, 4\] and \[5, 2, 3\]; expected .*\[out, in, width\]/,
    ],
    [
      'conv1d: weight of no width',
      [zeros(2, 3, 4), zeros(5, 3, 0)],
      (tensors) => run.conv1d(tensors, {}),
      /^conv1d: .*\[5, 3, 0\]; expected/,
    ],
    [
      'conv1d of a matrix',
      [zeros(2, 3), zeros(5, 3, 1)],
      (tensors) => run.conv1d(tensors, {}),
      /^conv1d: .*\[2, 3\] and \[5, 3, 1\]; expected/,
    ],
    [
      'attention: shapes that differ',
      [zeros(2, 3, 4), zeros(2, 2, 4), zeros(2, 3, 4)],
      (tensors) => run.attention(tensors, { heads: 2 }),
      /^attention: .*\[2, 2, 4\] and \[2, 3, 4\]; expected equal shapes/,
    ],
    [
      'attention of a matrix',
      [zeros(2, 4), zeros(2, 4), zeros(2, 4)],
      (tensors) => run.attention(tensors, { heads: 2 }),
      /^attention: .*\[2, 4\].*; expected equal shapes \[rows, fields, values\]/,
    ],
    [
      'softmax of a scalar',
      [zeros()],
      (tensors) => run.softmax(tensors, {}),
      /^softmax: .*\[\]; expected/,
    ],
    [
      'relu of ids',
      [ints([1, 2])],
      (tensors) => run.relu(tensors, {}),
      /^relu: .*int32 \[2\]; expected float32/,
    ],
  ];

  it.each(misfits)('%s', (_, inputs, body, message) => {
    expect(() => compute(inputs, body)).toThrow(ShapeError);
    expect(() => compute(inputs, body)).toThrow(message);
  });
});

describe('tensors', () => {
  it('refuse a shape of another size than their array', () => {
    expect(() => floats([1, 2, 3], [2, 2])).toThrow(ShapeError);
    expect(() => floats([1, 2, 3], [2, 2])).toThrow(/3 elements .*\[2,2\]; expected .*4 elements/);
    expect(() => floats([1, 2], [-1, -2])).toThrow(ShapeError);
    expect(() => floats([1, 2, 3], [1.5, 2])).toThrow(ShapeError);
  });

  it('have an item when they have one element', () => {
    expect(floats([2], [1, 1]).item()).toBe(2);
    expect(() => zeros(2, 1).item()).toThrow(ShapeError);
    expect(() => ops.add(zeros(2), 2 as never)).toThrow(/add: operand 1: 2; expected a tensor/);
    expect(() => valueAndGradients(() => 3 as never, [])).toThrow(/result: 3; expected a tensor/);
    expect(() => random([-1], { seed: 1 })).toThrow(/random: shape\.0: -1/);
    expect(() => zeros(0).item()).toThrow(/item: shape \[0\]; expected a tensor of one element/);
  });

  it('share the memory of the array they are made from', () => {
    const array = Float32Array.of(1, 2);
    const x = Tensor.from(array);
    array[0] = 5;
    expect([...ops.neg(x).data]).toEqual([-5, -2]);
    x.dispose();
    expect(array[0]).toBe(5);
  });

  it('are not to be used once disposed', () => {
    const x = ops.neg(zeros(2, 3));
    const { data } = x;
    x.dispose();
    expect(x.disposed).toBe(true);
    expect(data).toHaveLength(0);
    for (const use of [
      () => x.data,
      () => x.item(),
      () => ops.add(x, zeros(3)),
      () => ops.add(zeros(3), x),
      () => valueAndGradients((t) => ops.sum(t), [x]),
    ]) {
      expect(use).toThrow(BusyError);
      expect(use).toThrow(/\[2,3\] was used after it was disposed; expected/);
    }
    expect(() => x.dispose()).not.toThrow();
  });

  it('made in a scope are freed with it, but those that it returns', () => {
    let lost: Tensor | undefined;
    const kept = scope(() => {
      lost = ops.neg(floats([1, 2]));
      return ops.neg(lost);
    });
    expect(lost?.disposed).toBe(true);
    expect([...kept.data]).toEqual([1, 2]);
    kept.dispose();
  });

  it('made in a scope that throws are freed too', () => {
    let lost: Tensor | undefined;
    const reason = new Error('of the test');
    expect(() =>
      scope(() => {
        lost = ops.neg(floats([1]));
        throw reason;
      }),
    ).toThrow(reason);
    expect(lost?.disposed).toBe(true);
  });
});

describe('ids out of range', () => {
  const table = zeros(4, 2);

  it.each([
    [[0, 3, 4], 4, 2],
    [[-1], -1, 0],
    [[2, 2, -2147483648], -2147483648, 2],
  ])('%j are named with their position', (values, id, position) => {
    const ids = ints(values);
    const message = `embedding: id ${id} at position ${position}; expected 0 to 3`;
    expect(() => ops.embedding(table, ids)).toThrow(DataError);
    expect(() => ops.embedding(table, ids)).toThrow(message);
    const traced = () => valueAndGradients((t, i) => ops.sum(ops.embedding(t, i)), [table, ids]);
    expect(traced).toThrow(DataError);
    expect(traced).toThrow(message);
  });

  it('are named by a bag, of which -1 is none', () => {
    const options = { pooling: 'mean' } as const;
    const lookUp = (id: number) => ops.embeddingBag(table, ints([0, -1, id, 1], [2, 2]), options);
    expect(lookUp(-1).shape).toEqual([2, 2]);
    expect(() => lookUp(4)).toThrow(DataError);
    expect(() => lookUp(4)).toThrow('embedding_bag: id 4 at position 2; expected 0 to 3');
    expect(() => lookUp(-2)).toThrow('embedding_bag: id -2 at position 2; expected 0 to 3');
    expect(() => apply('embedding_bag', [table, ints([0], [1, 1])], { pooling: 'max' })).toThrow(
      "embedding_bag: pooling 'max'; expected 'sum' or 'mean'",
    );
  });

  it('are named by the fused lookup too', () => {
    // Part of a larger array: what stands behind it must not be read as a row.
    const part = Tensor.from(new Float32Array(100).subarray(0, 8), [4, 2]);
    const lookUp = () => apply('gather_concat', [part, ints([0, 4])], { count: 1 });
    expect(lookUp).toThrow(DataError);
    expect(lookUp).toThrow(/id 4 at position 1; expected 0 to 3/);
  });
});

describe('a traced function', () => {
  const x = floats([1, 2, 3]);

  it('cannot read values', () => {
    for (const read of [(t: Tensor) => t.data[0], (t: Tensor) => ops.sum(t).item()]) {
      const traced = () => valueAndGradients((t) => ops.scale(ops.sum(t), read(t) ?? 0), [x]);
      expect(traced).toThrow(TraceError);
      expect(traced).toThrow(/read while its model was traced; expected ops on tensors only/);
    }
  });

  it('cannot use tensors from outside, nor return one', () => {
    const outside = () => valueAndGradients((t) => ops.sum(ops.add(t, x)), [x]);
    expect(outside).toThrow(TraceError);
    expect(outside).toThrow(/^add: a tensor from outside the traced function; expected/);
    expect(() => valueAndGradients(() => floats([1]), [x])).toThrow(TraceError);
  });

  it('cannot trace another one', () => {
    const nested = () =>
      valueAndGradients((t) => valueAndGradients((u) => ops.sum(u), [t]).value, [x]);
    expect(nested).toThrow(TraceError);
  });

  it('has to return a scalar', () => {
    const vector = () => valueAndGradients((t) => ops.neg(t), [x]);
    expect(vector).toThrow(ShapeError);
    expect(vector).toThrow(/\[3\]; expected a scalar/);
  });

  it('leaves no trace behind when it throws', () => {
    const reason = new Error('of the test');
    expect(() =>
      valueAndGradients(() => {
        throw reason;
      }, [x]),
    ).toThrow(reason);
    expect([...ops.neg(x).data]).toEqual([-1, -2, -3]);
    expect(valueAndGradients((t) => ops.sum(t), [x]).value.item()).toBe(6);
  });

  it('leaves its symbolic tensors unreadable', () => {
    let leaked: Tensor | undefined;
    valueAndGradients(
      (t) => {
        leaked = t;
        return ops.sum(t);
      },
      [x],
    );
    expect(() => leaked?.data).toThrow(TraceError);
    expect(() => ops.neg(leaked as Tensor)).toThrow(TraceError);
  });

  it('has no gradient through what it does not depend on', () => {
    const { gradients } = valueAndGradients((t, _unused) => ops.sum(t), [x, floats([1])]);
    expect([...(gradients[0] as Tensor).data]).toEqual([1, 1, 1]);
    expect(gradients[1]).toBeUndefined();
  });
});

describe('apply', () => {
  it('names the nearest op of an unknown one', () => {
    expect(() => apply('sigmoud', [zeros(1)])).toThrow(ConfigError);
    expect(() => apply('sigmoud', [zeros(1)])).toThrow(/unknown op 'sigmoud'.*'sigmoid'/);
  });

  it('refuses another number of tensors than the op takes', () => {
    expect(() => apply('add', [zeros(1)])).toThrow(TraceError);
  });
});
