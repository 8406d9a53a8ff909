import { describe, expect, it } from 'vitest';
import { bucketOf, listOf, numberOf } from '../../ts/data/raw.js';
import {
  ConfigError,
  DataError,
  Dataset,
  type FeatureOptions,
  type Roles,
} from '../../ts/index.js';
import { temporaryFolder } from '../folder.js';
import { kindsData, kindsRoles, kindsTable } from '../kinds.js';
import { contentsOf, type Table, writeParquet, writeTable } from './tables.js';

const path = temporaryFolder();
const base: Omit<Roles, 'features'> = {
  domain: 'shop',
  label: 'clicked',
  split: { column: 'part' },
};
const columns = {
  shop: ['a', 'a', 'a', 'a', 'a'],
  clicked: [1, 0, 1, 0, 1],
  part: ['train', 'train', 'train', 'validation', 'test'],
};
const from = (own: Record<string, unknown[]>, features: FeatureOptions[], more = {}) =>
  Dataset.from({ ...columns, ...own }, { ...base, features, ...more });
const [age, tags] = [
  { name: 'age', kind: 'numeric' },
  { name: 'tags', kind: 'multi-valued' },
] as const;

describe('a numeric feature', () => {
  it('is standardised by the training part; missing values are 0 with a flag', () => {
    const data = from({ age: [1, null, 3, 5, Number.NaN] }, [age]);
    expect(data.schema.features).toEqual([{ name: 'age', kind: 'numeric', mean: 2, deviation: 1 }]);
    expect(data.train.numbers).toEqual([Float32Array.of(-1, 0, 0, 1, 1, 0)]);
    expect(data.validation.numbers).toEqual([Float32Array.of(3, 0)]);
    expect(data.test.numbers).toEqual([Float32Array.of(0, 1)]);
    expect(data.train.ids).toEqual([]);
  });

  it.each([
    ['constant', [0.1, 0.1, 0.1, 0.1, 3], [0, 0, 0, 0, 0, 0], 2.9],
    ['never there in training', [null, null, null, null, 3], [0, 1, 0, 1, 0, 1], 3],
  ])('that is %s is divided by 1', (_, values, train, test) => {
    const data = from({ age: values }, [age]);
    expect(data.train.numbers).toEqual([Float32Array.from(train)]);
    expect(data.test.numbers?.[0]?.[0]).toBeCloseTo(test, 6);
  });

  it.each([
    ['Infinity', Number.POSITIVE_INFINITY],
    ['text', 'old'],
    ['infinite text', '-Infinity'],
    ['a number too large for double', '1e999'],
  ])('that holds %s is refused with its row', (_, bad) => {
    const making = () => from({ age: [1, 2, bad, 3, 4] }, [age]);
    expect(making).toThrow(DataError);
    expect(making).toThrow(`column 'age', row 3: '${bad}'; expected a finite number`);
  });

  it('that holds numbers too large for their squares or for float32 is refused', () => {
    expect(() => from({ age: [1e300, -1e300, 1, 1, 1] }, [age])).toThrow(/column 'age': mean/);
    expect(() => from({ age: [1, 2, 3, 1, 1e300] }, [age])).toThrow(/column 'age': 1e\+300/);
  });

  it.each([
    ['12', 12],
    [' 1.5 ', 1.5],
    [12n, 12],
    [true, 1],
    ['', Number.NaN],
    ['NaN', Number.NaN],
    ['nan', Number.NaN],
    [null, Number.NaN],
    [undefined, Number.NaN],
    ['12 years', undefined],
  ])('reads %s', (value, number) => {
    expect(numberOf(value)).toEqual(number);
  });
});

describe('hashed ids', () => {
  it('are the same for ever', () => {
    // FNV-1a mixed by MurmurHash3's finalizer, by an implementation in Python.
    expect(['', 'a', 'größe', '85123A'].map((text) => bucketOf(text, 1_000_003))).toEqual([
      990307, 640383, 917137, 164175,
    ]);
  });

  it('need no vocabulary, and unseen values have one too', () => {
    const data = from({ user: ['u1', 'u2', 'u1', 'u3', 'u4'] }, [{ name: 'user', buckets: 1000 }]);
    expect(data.schema.features).toEqual([
      { name: 'user', kind: 'categorical', size: 1000, hashed: true },
    ]);
    expect(data.vocabulary.values).toEqual([[]]);
    expect(data.train.ids).toEqual([Int32Array.from(['u1', 'u2', 'u1'], (u) => bucketOf(u, 1000))]);
    expect(data.test.ids[0]?.[0]).toBe(bucketOf('u4', 1000));
    expect(data.vocabulary.encode(0, 'u4')).toBe(bucketOf('u4', 1000));
  });

  it('spread over the buckets', () => {
    const counts = new Int32Array(16);
    for (let i = 0; i < 16_000; i++) {
      const bucket = bucketOf(`user-${i}`, 16);
      counts[bucket] = (counts[bucket] as number) + 1;
    }
    // Eight standard deviations.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(250);
  });
});

describe('a multi-valued feature', () => {
  const lists = [['x', 'y'], [], ['y', 'z', 'x'], ['w', 'x', 'x', 'y'], null];

  it('has a vocabulary of the training part and lists as long as its longest', () => {
    const data = from({ tags: lists }, [tags]);
    expect(data.schema.features).toEqual([
      { name: 'tags', kind: 'multi-valued', size: 4, pooling: 'mean', width: 3 },
    ]);
    expect(data.vocabulary.values).toEqual([['x', 'y', 'z']]);
    expect(data.train.lists).toEqual([
      { offsets: Int32Array.of(0, 2, 2, 5), ids: Int32Array.of(1, 2, 2, 3, 1) },
    ]);
    expect(data.validation.lists).toEqual([
      { offsets: Int32Array.of(0, 3), ids: Int32Array.of(0, 1, 1) },
    ]);
    expect(data.test.lists).toEqual([{ offsets: Int32Array.of(0, 0), ids: new Int32Array() }]);
  });

  it('keeps the first maxValues', () => {
    const data = from({ tags: lists }, [{ ...tags, maxValues: 1 }]);
    expect(data.vocabulary.values).toEqual([['x', 'y']]);
    expect(data.train.lists?.[0]?.ids).toEqual(Int32Array.of(1, 2));
    expect(data.vocabulary.column(0, [['y', 'x'], null])).toEqual(Int32Array.of(2, -1));
  });

  it.each([
    ['a number', 7],
    ['text without a separator', 'x|y'],
    ['broken JSON', '["x"'],
    ['a missing value', ['x', null]],
  ])('that holds %s is refused with its row', (_, bad) => {
    const making = () => from({ tags: [['x'], bad, [], [], []] }, [tags]);
    expect(making).toThrow(DataError);
    expect(making).toThrow(/column 'tags', row 2: .*expected a list/);
  });

  it.each([
    ['x|y', '|', ['x', 'y']],
    ['|x||', '|', ['x']],
    ['', '|', []],
    ['["x", 1]', undefined, ['x', '1']],
    [Int32Array.of(3, 4), undefined, ['3', '4']],
    [{ items: ['x', 2n] }, undefined, ['x', '2']],
  ])('reads %s with separator %s', (value, separator, expected) => {
    expect(listOf(value, separator)).toEqual(expected);
  });
});

describe('a shared table', () => {
  it('has one vocabulary, of the features in their order', () => {
    const data = from(
      { item: ['p', 'q', 'p', 'r', 's'], seen: [['s', 'p'], [], ['q'], ['s'], ['t']] },
      ['item', { name: 'seen', kind: 'multi-valued', table: 'item' }],
    );
    expect(data.vocabulary.values).toEqual([['p', 'q', 's']]);
    expect(data.schema.features.map((own) => 'size' in own && own.size)).toEqual([4, 4]);
    expect(data.train.lists?.[0]?.ids).toEqual(Int32Array.of(3, 1, 2));
    expect(data.test.ids[0]).toEqual(Int32Array.of(3));
    expect(data.vocabulary.encode(1, 'q')).toBe(2);
  });

  it('has one number of buckets', () => {
    const making = () =>
      from({ item: ['p', 'q', 'p', 'r', 's'], seen: ['p', 'p', 'p', 'p', 'p'] }, [
        { name: 'item', buckets: 8 },
        { name: 'seen', buckets: 9, table: 'item' },
      ]);
    expect(making).toThrow(ConfigError);
    expect(making).toThrow("'seen' and 'item' share table 'item' with 9 and 8 buckets");
  });
});

describe('weights', () => {
  const item = { item: ['p', 'q', 'p', 'q', 'p'] };

  it('are those of the column', () => {
    const data = from({ ...item, w: [1, 0, '2.5', 3, 4] }, ['item'], { weight: 'w' });
    expect(data.train.weights).toEqual(Float32Array.of(1, 0, 2.5));
    expect(data.test.weights).toEqual(Float32Array.of(4));
    expect(from(item, ['item']).train).not.toHaveProperty('weights');
  });

  it.each([-1, null, 'much', Number.POSITIVE_INFINITY, 1e39])('must not be %j', (bad) => {
    const making = () => from({ ...item, w: [1, bad, 1, 1, 1] }, ['item'], { weight: 'w' });
    expect(making).toThrow(DataError);
    expect(making).toThrow(`column 'w', row 2: '${bad}'; expected a weight from 0`);
  });
});

describe('weights of some parts', () => {
  it('are refused', () => {
    const { schema, vocabulary, train, validation, test } = kindsData({ weight: 'weight' });
    const { weights: _, ...bare } = validation;
    const making = () => Dataset.of(schema, vocabulary.values, [train, bare, test]);
    expect(making).toThrow(DataError);
    expect(making).toThrow('validation: no weights; expected them in every part or in none');
  });
});

describe('every kind', () => {
  const data = kindsData({ weight: 'weight' });

  it('is read from a prepared folder as it was', async () => {
    await data.save(path('data'));
    expect(contentsOf(await Dataset.open(path('data')))).toEqual(contentsOf(data));
  });

  it.each(['parquet', 'jsonl', 'csv'])('is read from %s as from memory', async (ending) => {
    const table = kindsTable();
    const source = path(`rows.${ending}`);
    // CSV has no lists: a JSON array as text stands for one.
    const text = table.tags.map((list) => JSON.stringify(list));
    const own = { ...table, tags: ending === 'csv' ? text : table.tags } as unknown as Table;
    await (ending === 'parquet' ? writeParquet : writeTable)(source, own);
    const read = await Dataset.open({ source, ...kindsRoles, weight: 'weight' });
    expect(contentsOf(read)).toEqual(contentsOf(data));
  });

  it('keeps its rows under the same vocabulary, and takes the ids of another', () => {
    expect(contentsOf(data.as(data.vocabulary))).toEqual(contentsOf(data));
    // Other rows, other ids, another mean, shorter lists.
    const table = kindsTable(60);
    const other = Dataset.from(table, kindsRoles);
    const again = other.as(data.vocabulary);
    expect(again.schema).toEqual(data.schema);
    const rows = table.shop
      .map((shop, row) => ({ shop, row }))
      .filter(({ row }) => table.part[row] === 'train')
      .sort((a, b) => a.shop.localeCompare(b.shop) || a.row - b.row);
    const price = rows.map(({ row }) => table.price[row] as number);
    const place = data.schema.features.findIndex(({ name }) => name === 'price');
    const expected = data.vocabulary.column(place, price) as Float32Array;
    again.train.numbers?.[1]?.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 5);
    });
  });

  it.each<[string, FeatureOptions[], string]>([
    ['another kind', [{ name: 'age', kind: 'numeric' }], "feature 'age' is categorical"],
    ['other buckets', [{ name: 'age', buckets: 5 }], "feature 'age' has no buckets"],
  ])('is refused under %s', (_, features, message) => {
    const own = { age: [1, 2, 3, 4, 5] };
    const model = from(own, features);
    expect(() => from(own, ['age']).as(model.vocabulary)).toThrow(DataError);
    expect(() => from(own, ['age']).as(model.vocabulary)).toThrow(message);
  });
});

describe('negatives', () => {
  it("are their user's positive with another item and what belongs to it", () => {
    const rows = 60;
    const of = (make: (row: number) => unknown) => Array.from({ length: rows }, (_, r) => make(r));
    const data = Dataset.from(
      {
        shop: of(() => 'a'),
        user: of((r) => `u${r % 6}`),
        item: of((r) => `i${(r * 7) % 10}`),
        price: of((r) => ((r * 7) % 10) * 10),
        hour: of((r) => r % 6),
        w: of((r) => (r % 6) / 2),
      },
      {
        domain: 'shop',
        weight: 'w',
        features: ['user', 'item', { name: 'price', kind: 'numeric' }, 'hour'],
        split: { random: [0.6, 0.2, 0.2] },
        negatives: {
          method: 'by-positive',
          user: 'user',
          item: 'item',
          ratio: 0.5,
          itemFeatures: ['price'],
        },
        seed: 3,
      },
    );
    const { ids, labels, numbers, weights } = data.train;
    const price = data.schema.features[2];
    if (price?.kind !== 'numeric') throw new Error('price is numeric');
    const raw = (feature: number, row: number) =>
      data.vocabulary.values[feature]?.[(ids[feature]?.[row] as number) - 1] as string;
    expect(labels.filter((label) => label === 0).length).toBeGreaterThan(20);
    labels.forEach((_, row) => {
      const item = Number(raw(1, row).slice(1));
      const own = price.mean + price.deviation * (numbers?.[0]?.[2 * row] as number);
      expect(own).toBeCloseTo(item * 10, 3);
      // The context is the positive's: hour and weight follow the user here.
      expect(raw(2, row)).toBe(raw(0, row).slice(1));
      expect(weights?.[row]).toBe(Number(raw(2, row)) / 2);
    });
  });
});
