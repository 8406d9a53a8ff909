import { describe, expect, it } from 'vitest';
import { ConfigError, DataError, load } from '../../ts/index.js';
import { Predictor } from '../../ts/serve/predictor.js';
import { errorOf } from '../error-of.js';
import { dataOf, makers } from '../purchases.js';

// What JavaScript lets through and TypeScript does not.

const data = dataOf(['a', 'b']);
const predictor = new Predictor(makers.mlp(data), data.vocabulary);
const scorer = predictor.forDomain('a');
const predict = (rows: unknown) => scorer.predict(rows as never);
const sync = (row: unknown) => scorer.predictSync(row as never);

describe('rows that are none', () => {
  const cases: Record<string, [attempt: () => unknown, message: RegExp]> = {
    nothing: [() => predict(undefined), /^rows: missing; expected an array of rows, or an object/],
    'one row for many': [
      () => predict({ user: 1, item: 2 }),
      /^column 'user': 1; expected an array/,
    ],
    // Texts have a length: they would be taken for columns of letters.
    'one row of texts for many': [
      () => predict({ user: 'u1', item: 'i1' }),
      /^column 'user': "u1"; expected an array of values/,
    ],
    'a row of nothing': [() => predict([null]), /^row 0: null; expected an object of values/],
    'a number for a row': [() => predict([3]), /^row 0: 3; expected an object of values/],
    'an object for a value': [
      () => predict([{ user: { id: 1 }, item: 2 }]),
      /^row 0: 'user' is {"id":1}; expected text, a number or a boolean/,
    ],
    'a list for a value': [
      () => sync({ user: [1, 2], item: 2 }),
      /^row 0: 'user' is \[1,2\]; expected text, a number or a boolean/,
    ],
    'a symbol for a value': [
      () => sync({ user: Symbol('u1'), item: 2 }),
      /^row 0: 'user' is Symbol\(u1\); expected text/,
    ],
    'nothing for one row': [() => sync(undefined), /^row: missing; expected an object of values/],
    'null for one row': [() => sync(null), /^row: null; expected an object of values/],
    'a text for candidates': [
      () => scorer.topK({ user: 1 }, { item: 'abc' } as never, 2),
      /^column 'item': "abc"; expected an array of values/,
    ],
    'no domain': [
      () => predictor.forDomain(undefined as never),
      /^domain: missing; expected the name of one, such as 'a'/,
    ],
    'mixed rows without any': [
      () => predictor.predict(null as never),
      /^rows: null; expected an array of rows, or an object/,
    ],
  };

  it.each(Object.entries(cases))('are told: %s', async (_, [attempt, message]) => {
    const error = await errorOf(attempt);
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(message);
  });

  it('need a folder to be loaded from', async () => {
    const error = await errorOf(() => load(undefined as never));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/^folder: missing/);
  });
});

it('refuses scores that are no numbers, of a row or of many', async () => {
  const model = makers.mlp(data);
  const broken = new Predictor(model, data.vocabulary);
  model.parameters().get('bias')?.data.fill(Number.NaN);
  const row = { user: 1, item: 2 };
  const told = /row 0 scores NaN; expected a model with finite parameters/;
  await expect(broken.forDomain('a').predict([row])).rejects.toThrow(told);
  await expect(broken.predict([{ domain: 'b', ...row }])).rejects.toThrow(told);
  expect(() => broken.forDomain('b').predictSync(row)).toThrow(told);
});
