import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { predictFile } from '../../ts/cli/predict.js';
import { DataError, type FitResult, fit, models, optim, strategies } from '../../ts/index.js';
import type { Row } from '../../ts/serve/scorer.js';
import { type Table, writeParquet, writeTable } from '../data/tables.js';
import { temporaryFolder } from '../folder.js';
import { kindsData, kindsTable } from '../kinds.js';

const path = temporaryFolder();
const data = kindsData();
const make = () =>
  models.mlp({ schema: data.schema, embeddingDim: 4, hidden: [8], dropout: 0, seed: 1 });
const options = {
  strategy: strategies.alternate(),
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 3,
} as const;
let run: FitResult;
beforeAll(async () => {
  run = await fit(make(), data, options);
});

const good: Row = {
  item: 'i1',
  age: 33,
  user: 'u1',
  tags: ['t1', 't2'],
  history: 'i1|i2',
  price: 1000,
  constant: 7,
};
const scoreOf = (changes: Row) => run.forDomain('a').predictSync({ ...good, ...changes });

describe('a row to score', () => {
  it('scores the same alone, now or later, and among many callers', async () => {
    const rows = Array.from({ length: 100 }, (_, i) => ({
      ...good,
      item: `i${i % 9}`,
      age: i % 7 === 0 ? null : i,
      history: i % 3 === 0 ? [] : `i${i % 5}|i2`,
    }));
    const scorer = run.forDomain('a');
    const alone = rows.map((row) => scorer.predictSync(row));
    expect(new Set(alone).size).toBeGreaterThan(50);
    const calls = await Promise.all(rows.map((row) => scorer.predict([row])));
    expect(calls.map((scores) => [...scores])).toEqual(alone.map((score) => [score]));
    expect([...(await scorer.predict(rows))]).toEqual(alone);
  });

  it('may lack numbers and lists, in whatever way', () => {
    const none = scoreOf({ age: null, tags: [], history: '' });
    expect(none).not.toBe(scoreOf({}));
    expect(scoreOf({ age: Number.NaN, tags: null, history: null })).toBe(none);
    expect(scoreOf({ age: '', tags: '', history: [] })).toBe(none);
  });

  it('may have numbers as text, lists as JSON, and more values than training saw', () => {
    expect(scoreOf({ age: '33', tags: '["t1", "t2"]', history: ['i1', 'i2'] })).toBe(scoreOf({}));
    const tags = ['t1', 't2', 't1', 't1', 't1'];
    expect(scoreOf({ tags })).toBe(scoreOf({ tags: tags.slice(0, 3) }));
    expect(scoreOf({ history: 'i1|i2|i3' })).toBe(scoreOf({}));
  });

  it.each<[string, Row, string]>([
    ['a number that is text', { age: 'old' }, "row 0: 'age' is 'old'; expected a finite number"],
    ['an infinite number', { price: Number.POSITIVE_INFINITY }, "'price' is 'Infinity'"],
    ['a number too large', { price: 1e300 }, "'price' is '1e+300'"],
    ['a list that is none', { tags: 't1' }, "'tags' is 't1'; expected a list"],
    ['no categorical', { item: null }, "'item' is null"],
  ])('must not have %s', (_, changes, message) => {
    expect(() => scoreOf(changes)).toThrow(DataError);
    expect(() => scoreOf(changes)).toThrow(message);
  });

  it.each(Object.keys(good))('must have %s', (name) => {
    const { [name]: _, ...rest } = good;
    expect(() => run.forDomain('a').predictSync(rest)).toThrow(DataError);
    expect(() => run.forDomain('a').predictSync(rest)).toThrow(`'${name}'`);
  });

  it('is named by its place among rows of mixed domains', async () => {
    const rows = ['a', 'b', 'a', 'b'].map((shop) => ({ ...good, shop }));
    rows[3] = { ...rows[3], age: 'old', shop: 'b' } as (typeof rows)[0];
    await expect(run.predict(rows)).rejects.toThrow("row 3: 'age' is 'old'");
  });
});

it.each(['csv', 'parquet', 'jsonl'])('scores a file ending in .%s', async (ending) => {
  const table = kindsTable(40);
  const tags = table.tags.map((list) => JSON.stringify(list));
  const own = { ...table, tags: ending === 'csv' ? tags : table.tags } as unknown as Table;
  const [input, output] = [path(`rows.${ending}`), path('scores.csv')];
  await (ending === 'parquet' ? writeParquet : writeTable)(input, own);
  await run.save(path('run'));
  const { signal } = new AbortController();
  await predictFile(path('run'), { input, output, unknownDomain: 'error', signal });
  const [, first, ...lines] = (await readFile(output, 'utf8')).trim().split('\n');
  expect(lines.length).toBe(39);
  const expected = await run.predict(table as never);
  expect(first).toContain(`"${(tags[0] as string).replaceAll('"', '""')}"`);
  [first, ...lines].forEach((line, row) => {
    expect(Number(line?.split(',').at(-1))).toBe(expected[row]);
  });
});

it('starts from what a model of other rows has learned', async () => {
  const other = kindsData({ seed: 1, minRows: 2 });
  const model = make();
  const more = await fit(model, other, { ...options, epochs: 1, from: run });
  expect(Number.isFinite(more.metrics.test.loss.mean)).toBe(true);
  const still = await fit(make(), data, {
    ...options,
    optimizer: optim.sgd({ learningRate: 1e-30 }),
    epochs: 1,
    from: run,
  });
  const rows = kindsTable(20) as never;
  expect(await still.predict(rows)).toEqual(await run.predict(rows));
});
