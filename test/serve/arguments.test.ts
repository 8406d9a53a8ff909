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
    'nothing once': [
      () => scorer.topK(null as never, { item: [1] }, 2),
      /^once: null; expected an object of values/,
    ],
    'nothing for candidates': [
      () => scorer.topK({ user: 1 }, null as never, 2),
      /^candidates: null; expected an object of arrays/,
    ],
    'an object for a domain': [
      () => predictor.predict([{ domain: Object.create(null), user: 1, item: 2 }]),
      /^row 0: 'domain' is {}; expected text, a number or a boolean/,
    ],
    'an object for an encoded value': [
      () => data.vocabulary.encode(0, {} as never),
      /^'user' is {}; expected text, a number or a boolean/,
    ],
    'no encoded values': [
      () => data.vocabulary.column(0, null as never),
      /^column 'user': null; expected an array of values/,
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

  const options: Record<string, [attempt: () => unknown, message: RegExp]> = {
    'no folder': [() => load(undefined as never), /^folder: missing/],
    'a folder without a name': [() => load(''), /^folder: ""; expected a path/],
    'null for options': [() => load('run', null as never), /^load: null; expected object/],
    'an unknown option': [
      () => load('run', { model: {} } as never),
      /^load: unknown key 'model'; did you mean 'models'/,
    ],
    'a model for a maker': [
      () => load('run', { models: { own: {} as never } }),
      /^load\.models\.own: {}; expected a function/,
    ],
    'null in place of options of a domain': [
      () => predictor.forDomain('a', null as never),
      /^predict: null; expected an object of options/,
    ],
    'another way with domains': [
      () => predictor.forDomain('z', { unknownDomain: 'skip' as never }),
      /^predict\.unknownDomain: "skip"; expected error or shared/,
    ],
    'a symbol for a number of rows': [
      () => scorer.topK([{ user: 1, item: 2 }], Symbol('k') as never),
      /^topK: k .*; expected an integer of 1 at least/,
    ],
  };

  it.each(Object.entries(options))('are told with: %s', async (_, [attempt, message]) => {
    const error = await errorOf(attempt);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
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
