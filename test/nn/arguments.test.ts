import { describe, expect, it } from 'vitest';
import {
  type Batch,
  ConfigError,
  evaluate,
  Module,
  models,
  nn,
  ShapeError,
  type Tensor,
} from '../../ts/index.js';
import { errorOf } from '../error-of.js';
import { dataOf } from '../purchases.js';

// What JavaScript lets through and TypeScript does not.

const wrong = (value: unknown) => value as never;
const data = dataOf(['a', 'b']);
const { schema } = data;
/** A number per domain. */
class Lookup extends Module<[Batch], Tensor> {
  constructor(readonly table: nn.Embedding) {
    super();
  }

  forward({ domain }: Batch): Tensor {
    return this.table.forward(domain);
  }
}

const size = 'expected an integer from 1 to 2147483647';

describe('wrong arguments of modules', () => {
  type Case = [attempt: () => unknown, type: typeof ShapeError, message: RegExp | string];
  const cases: Record<string, Case> = {
    'no outputs': [() => new nn.Linear(2, 0), ConfigError, `Linear: outputs 0; ${size}`],
    'a symbol for a size': [
      () => new nn.Linear(wrong(Symbol('two')), 2),
      ConfigError,
      `Linear: inputs Symbol(two); ${size}`,
    ],
    'null for options': [() => new nn.Linear(2, 2, wrong(null)), ConfigError, /^Linear: null; exp/],
    'no options of an embedding': [
      () => new nn.Embedding(2, 2, wrong(null)),
      ConfigError,
      /^Embedding: null; expected an object/,
    ],
    'a bank of no slots': [() => new nn.BankLinear(0, 2, 2), ConfigError, /^BankLinear: slots 0;/],
    'a bank of more inputs than there are': [
      () => new nn.BankLinear(2, Number.POSITIVE_INFINITY, 2),
      ConfigError,
      `BankLinear: inputs Infinity; ${size}`,
    ],
    'null for the options of a bank': [
      () => new nn.BankLinear(2, 2, 2, wrong(null)),
      ConfigError,
      /^BankLinear: null/,
    ],
    'half a feature': [() => new nn.BatchNorm1d(1.5), ConfigError, /^BatchNorm1d: features 1\.5;/],
    'no features': [
      () => new nn.PartitionedNorm(2, wrong(undefined)),
      ConfigError,
      /^BankBatchNorm: features missing/,
    ],
    'a text for a rate': [
      () => new nn.Dropout(wrong('0.5')),
      ConfigError,
      /^Dropout: rate "0\.5";/,
    ],
    'a function for a layer': [
      () => new nn.Sequential(new nn.Relu(), wrong(Math.abs)),
      ConfigError,
      'Sequential: layer 1 is function abs; expected a module',
    ],
    'a number for a shape': [() => new nn.Parameter(wrong(3)), ShapeError, /^Parameter: shape 3;/],
    'null for the options of a parameter': [
      () => new nn.Parameter([3], wrong(null)),
      ConfigError,
      /^Parameter: null; expected object/,
    ],
    'a text for a coefficient': [
      () => new nn.Embedding(3, 2, { l2: wrong('1') }),
      ConfigError,
      /^Parameter\.l2: "1"; expected number/,
    ],
    'a deviation that is none': [
      () => new nn.Embedding(3, 2, { deviation: Number.NaN }),
      ConfigError,
      /^Parameter\.initializer\.b: NaN; expected number/,
    ],
    'a start of no kind': [
      () => new nn.Linear(3, 2, { initializer: wrong({ kind: 'nromal', a: 0, b: 1 }) }),
      ConfigError,
      /^Parameter\.initializer\.kind: "nromal"; expected one of/,
    ],
    'a text for whether it is trained': [
      () => new nn.Parameter([3], { trainable: wrong('no') }),
      ConfigError,
      /^Parameter\.trainable: "no"; expected boolean/,
    ],
    'a fill that gives nothing to iterate': [
      () => {
        const fill = (values: Float32Array) => values.fill(1).length;
        const weight = new nn.Embedding(10, 1, { fill: wrong(fill) });
        return evaluate(new Lookup(weight), data);
      },
      ConfigError,
      /^parameter 'table\.weight': fill\(\) gave 10; expected something to iterate/,
    ],
    'a feature of nothing': [
      () => models.mlp({ schema: { ...schema, features: wrong([null]) } }),
      ConfigError,
      /^schema\.features\.0: null; expected object/,
    ],
    'a feature of another kind': [
      () => models.mlp({ schema: { ...schema, features: wrong([{ name: 'user', kind: 3 }]) } }),
      ConfigError,
      /^schema\.features\.0\.kind: 3; expected one of categorical/,
    ],
    'a feature without a size': [
      () =>
        models.mlp({
          schema: { ...schema, features: wrong([{ name: 'user', kind: 'categorical' }]) },
        }),
      ConfigError,
      /^schema\.features\.0\.size: missing; expected number/,
    ],
    'a domain without a name': [
      () => models.mlp({ schema: { ...schema, domains: wrong([null]) } }),
      ConfigError,
      /^schema\.domains\.0: null; expected string/,
    ],
  };

  it.each(Object.entries(cases))('are told: %s', async (_, [attempt, type, message]) => {
    const error = await errorOf(attempt);
    expect(error).toBeInstanceOf(type);
    expect(error.message).toMatch(message);
  });
});
