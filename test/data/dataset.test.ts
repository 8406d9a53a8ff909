import { mkdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { DataError, Dataset, type Roles } from '../../ts/index.js';
import { temporaryFolder } from '../folder.js';
import { contentsOf, decode, sizesOf, type Table, writeParquet, writeTable } from './tables.js';

const path = temporaryFolder();

const roles: Roles = {
  domain: 'shop',
  label: 'clicked',
  features: ['user', 'item'],
  split: { column: 'part' },
};

const clicks: Table = {
  shop: ['toys', 'books', 'toys', 'toys', 'books', 'books', 'toys', 'toys'],
  user: [12, 7, 12, 30, 7, 12, 99, 30],
  item: ['a', 'b, "c"', "d's", 'größe', 'a', '85123A', 'a', '85123A'],
  clicked: [1, 0, 0, 1, 1, 0, 1, 0],
  part: ['train', 'train', 'val', 'train', 'validation', 'test', 'test', 'train'],
};

describe('a dataset', () => {
  it.each(['csv', 'parquet', 'jsonl', 'ndjson'])('from %s is that of arrays', async (ending) => {
    await mkdir(path("it's here"));
    const source = path("it's here", `clicks.${ending}`);
    await (ending === 'parquet' ? writeParquet : writeTable)(source, clicks);
    const read = await Dataset.open({ source, ...roles });
    expect(contentsOf(read)).toEqual(contentsOf(Dataset.from(clicks, roles)));
  });

  it('from a query over a folder is that of the rows it makes', async () => {
    const half = (from: number, to: number): Table =>
      Object.fromEntries(Object.entries(clicks).map(([name, own]) => [name, own.slice(from, to)]));
    await mkdir(path("it's here"));
    await writeTable(path("it's here", '0.csv'), half(0, 5));
    await writeTable(path("it's here", '1.csv'), half(5, 8));
    const read = await Dataset.open({
      source: path("it's here"),
      query: "select * from read_csv('{source}/*.csv')",
      ...roles,
    });
    expect(contentsOf(read)).toEqual(contentsOf(Dataset.from(clicks, roles)));
  });

  describe.each(['csv', 'parquet', 'jsonl'])('from %s', (ending) => {
    it.each([
      [['007', '7']],
      [['0.50', '0.5']],
      [['yes', 'no']],
      [['12345678901234567890', '12345678901234567891']],
      [['550E8400-E29B-41D4-A716-446655440000']],
      [['1:02:03']],
    ])('keeps text as it is written: %s', async (item) => {
      const one = item.map(() => 1);
      const part = item.map(() => 'train');
      const source = path(`text.${ending}`);
      const table = { shop: item.map(() => 'toys'), user: one, item, clicked: one, part };
      await (ending === 'parquet' ? writeParquet : writeTable)(source, table);
      const { vocabulary } = await Dataset.open({ source, ...roles });
      expect(vocabulary.values[1]).toEqual(item);
    });
  });

  it.each(['csv', 'jsonl'])(
    'from %s keeps an item whose code is text after thousands of numbers',
    async (ending) => {
      const rows = 25_000;
      const fill = (value: string | number) => new Array<string | number>(rows).fill(value);
      const source = path(`long.${ending}`);
      await writeTable(source, {
        shop: fill('toys'),
        user: fill(1),
        item: [...fill(22423).slice(1), '85123A'],
        clicked: fill(1),
        part: fill('train'),
      });
      const { vocabulary } = await Dataset.open({ source, ...roles });
      expect(vocabulary.values[1]).toEqual(['22423', '85123A']);
    },
  );

  it('has vocabularies of the training part only; every other value is id 0', () => {
    const data = Dataset.from(clicks, roles);
    expect(data.schema).toEqual({
      label: 'clicked',
      domain: 'shop',
      features: [
        { name: 'user', kind: 'categorical', size: 4 },
        { name: 'item', kind: 'categorical', size: 5 },
      ],
      domains: ['books', 'toys'],
    });
    expect(data.vocabulary.values).toEqual([
      ['12', '7', '30'],
      ['a', 'b, "c"', 'größe', '85123A'],
    ]);
    expect(data.train).toEqual({
      rows: 4,
      domainOffsets: Int32Array.of(0, 1, 4),
      ids: [Int32Array.of(2, 1, 3, 3), Int32Array.of(2, 1, 3, 4)],
      labels: Float32Array.of(0, 1, 1, 0),
    });
    expect(data.validation).toEqual({
      rows: 2,
      domainOffsets: Int32Array.of(0, 1, 2),
      ids: [Int32Array.of(2, 1), Int32Array.of(1, 0)],
      labels: Float32Array.of(1, 0),
    });
    expect(data.test).toEqual({
      rows: 2,
      domainOffsets: Int32Array.of(0, 1, 2),
      ids: [Int32Array.of(1, 0), Int32Array.of(4, 1)],
      labels: Float32Array.of(0, 1),
    });
    expect(data.vocabulary.encode(0, 12)).toBe(1);
    expect(data.vocabulary.encode(0, '12')).toBe(1);
    expect(data.vocabulary.encode(0, 99)).toBe(0);
  });

  it.each(['csv', 'parquet', 'jsonl'])(
    'takes labels of true and false, from %s',
    async (ending) => {
      const table = { ...clicks, clicked: clicks.clicked?.map(Boolean) ?? [] };
      const expected = contentsOf(Dataset.from(clicks, roles));
      expect(contentsOf(Dataset.from(table, roles))).toEqual(expected);
      const source = path(`clicks.${ending}`);
      await (ending === 'parquet' ? writeParquet : writeTable)(source, table);
      expect(contentsOf(await Dataset.open({ source, ...roles }))).toEqual(expected);
    },
  );

  it('leaves out domains of fewer than minRows rows', () => {
    expect(Dataset.from(clicks, { ...roles, minRows: 3 }).schema.domains).toEqual([
      'books',
      'toys',
    ]);
    const data = Dataset.from(clicks, { ...roles, minRows: 4 });
    expect(data.schema.domains).toEqual(['toys']);
    expect(data.vocabulary.values).toEqual([
      ['12', '30'],
      ['a', 'größe', '85123A'],
    ]);
    expect(sizesOf(data)).toEqual({ toys: [3, 1, 1] });
  });

  it('is opened as it was saved', async () => {
    const data = Dataset.from(clicks, roles);
    await data.save(path('deep', 'saved'));
    expect(contentsOf(await Dataset.open(path('deep', 'saved')))).toEqual(contentsOf(data));
    const other = Dataset.from(clicks, { ...roles, features: ['item'], minRows: 4 });
    await other.save(path('deep', 'saved'));
    expect(contentsOf(await Dataset.open(path('deep', 'saved')))).toEqual(contentsOf(other));
  });
});

describe('a random split', () => {
  const sizes = { big: 100, middle: 10, small: 3 };
  const rows = Object.entries(sizes).flatMap(([name, size]) => new Array<string>(size).fill(name));
  const columns = { shop: rows, row: [...rows.keys()], clicked: rows.map((_, i) => i % 2) };
  const split = (random: [number, number, number], seed?: number) =>
    Dataset.from(columns, {
      domain: 'shop',
      label: 'clicked',
      features: ['row'],
      split: { random },
      ...(seed === undefined ? {} : { seed }),
    });

  it('has its shares in each domain, and rows of small domains in every part', () => {
    const data = split([0.6, 0.2, 0.2]);
    expect(sizesOf(data)).toEqual({ big: [60, 20, 20], middle: [6, 2, 2], small: [1, 1, 1] });
    expect(new Set(data.vocabulary.values[0]).size).toBe(data.train.rows);
  });

  it('may leave validation or test without rows', () => {
    expect(sizesOf(split([0.8, 0, 0.2]))).toEqual({
      big: [80, 0, 20],
      middle: [8, 0, 2],
      small: [2, 0, 1],
    });
    expect(sizesOf(split([0.8, 0.2, 0]))).toEqual({
      big: [80, 20, 0],
      middle: [8, 2, 0],
      small: [2, 1, 0],
    });
  });

  it('is the same for the same seed and another for another', () => {
    const one = contentsOf(split([0.6, 0.2, 0.2], 1));
    expect(contentsOf(split([0.6, 0.2, 0.2], 1))).toEqual(one);
    expect(contentsOf(split([0.6, 0.2, 0.2], 2))).not.toEqual(one);
    expect(contentsOf(split([0.6, 0.2, 0.2]))).toEqual(contentsOf(split([0.6, 0.2, 0.2], 0)));
  });

  it('does not follow the order of the rows', () => {
    const first = decode(split([0.6, 0.2, 0.2])).filter(({ part }) => part === 'train');
    const big = first.filter(({ domain }) => domain === 'big').map(({ values }) => values[0]);
    expect(big).not.toEqual(Array.from({ length: 60 }, (_, i) => String(i)));
  });
});

describe('a split by time', () => {
  type Moments = [string | number, string | number];
  const partsOf = (times: readonly (string | number)[], at: Moments) => {
    const columns = { shop: times.map(() => 'toys'), time: times, clicked: times.map(() => 1) };
    return decode(
      Dataset.from(columns, {
        domain: 'shop',
        label: 'clicked',
        features: ['time'],
        split: { time: 'time', at },
      }),
    ).map(({ part }) => part);
  };
  const text = [
    '2020-01-01 09:00:00',
    '2020-01-01T23:59:59',
    '2020-01-02 00:00:00',
    '2020-01-02T12:00:00',
    '2020-01-03T00:00:00',
  ];
  const expected = ['train', 'train', 'validation', 'validation', 'test'];

  it.each<Moments>([
    ['2020-01-02', '2020-01-03'],
    ['2020-01-02 00:00:00', '2020-01-03 00:00:00'],
    ['2020-01-02T00:00:00', '2020-01-03T00:00:00'],
    ['2020-01-02T00:00:00', '2020-01-03'],
  ])('compares ISO text with a blank and with a T: at %s and %s', (...at) => {
    expect(partsOf(text, at)).toEqual(expected);
  });

  it('takes a day as its first moment', () => {
    const days = ['2020-01-01', '2020-01-02', '2020-01-03'];
    const parts = ['train', 'validation', 'test'];
    expect(partsOf(days, ['2020-01-02', '2020-01-03'])).toEqual(parts);
    expect(partsOf(days, ['2020-01-02T00:00:00', '2020-01-03T00:00:00'])).toEqual(parts);
  });

  it('compares numbers as numbers', () => {
    const parts = ['train', 'validation', 'validation', 'test'];
    expect(partsOf([9, 10, 99, 100], [10, 100])).toEqual(parts);
    expect(partsOf(['9', '10', '99', '100'], [10, 100])).toEqual(parts);
  });

  it('may leave validation without rows', () => {
    expect(partsOf([1, 2, 3], [3, 3])).toEqual(['train', 'train', 'test']);
  });

  it.each(['csv', 'parquet', 'jsonl'])('is that of arrays for %s', async (ending) => {
    const source = path(`times.${ending}`);
    const table = { shop: text.map(() => 'toys'), user: [1, 1, 1, 1, 1], clicked: [1, 1, 1, 1, 1] };
    await (ending === 'parquet' ? writeParquet : writeTable)(source, { ...table, time: text });
    const data = await Dataset.open({
      source,
      domain: 'shop',
      label: 'clicked',
      features: ['user'],
      split: { time: 'time', at: ['2020-01-02', '2020-01-03T00:00:00'] },
    });
    expect(sizesOf(data)).toEqual({ toys: [2, 2, 1] });
  });
});

describe("another vocabulary's ids", () => {
  const known = Dataset.from(
    {
      shop: ['games', 'toys', 'books'],
      item: ['größe', 'a', 'z'],
      user: [30, 1, 7],
      clicked: [1, 0, 1],
      part: ['train', 'train', 'train'],
    },
    { ...roles, features: ['item', 'user'] },
  );

  it('stand for the same rows; values that it does not have are id 0', () => {
    const data = Dataset.from(clicks, roles).as(known.vocabulary);
    expect(data.schema).toEqual(known.schema);
    expect(data.vocabulary.values).toEqual(known.vocabulary.values);
    expect(sizesOf(data)).toEqual({ books: [1, 1, 1], games: [0, 0, 0], toys: [3, 1, 1] });
    expect(decode(data).filter(({ part }) => part === 'train')).toEqual([
      { part: 'train', domain: 'books', values: [undefined, '7'], label: 0 },
      { part: 'train', domain: 'toys', values: ['a', undefined], label: 1 },
      { part: 'train', domain: 'toys', values: ['größe', '30'], label: 1 },
      { part: 'train', domain: 'toys', values: [undefined, '30'], label: 0 },
    ]);
  });

  it('are its own again for its own vocabulary', () => {
    const data = Dataset.from(clicks, roles);
    expect(contentsOf(data.as(data.vocabulary))).toEqual(contentsOf(data));
  });

  it('refuse a domain or a feature that it does not have', () => {
    const data = Dataset.from(clicks, roles);
    const toys = Dataset.from(clicks, { ...roles, minRows: 4 });
    expect(() => data.as(toys.vocabulary)).toThrow(DataError);
    expect(() => data.as(toys.vocabulary)).toThrow("domain 'books'; did you mean 'toys'?");
    const items = Dataset.from(clicks, { ...roles, features: ['item'] });
    expect(() => items.as(data.vocabulary)).toThrow(DataError);
    expect(() => items.as(data.vocabulary)).toThrow("no feature 'user'");
  });
});
