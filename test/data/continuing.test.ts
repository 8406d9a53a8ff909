import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, DataError, Dataset, type Roles } from '../../ts/index.js';

type Features = Roles['features'];
/** One domain; the last two rows are for validation and test. */
function dataOf(
  columns: Readonly<Record<string, readonly unknown[]>>,
  features: Features = ['item'],
  shop = 'one',
): Dataset {
  const rows = Object.values(columns)[0]?.length ?? 0;
  const fill = <Value>(value: (row: number) => Value) =>
    Array.from({ length: rows }, (_, r) => value(r));
  return Dataset.from(
    {
      ...columns,
      shop: fill(() => shop),
      bought: fill((row) => row % 2),
      part: fill((row) => (row < rows - 2 ? 'train' : row < rows - 1 ? 'validation' : 'test')),
    },
    { domain: 'shop', label: 'bought', split: { column: 'part' }, features },
  );
}
const items = (...item: string[]) => dataOf({ item: [...item, 'x', 'y'] });

describe('data that continues a vocabulary', () => {
  it('keeps the ids of values and gives further ones to new values', () => {
    const first = items('a', 'b', 'c');
    const next = items('c', 'd', 'a', 'd').continuing(first.vocabulary);
    expect(next.vocabulary.values).toEqual([['a', 'b', 'c', 'd']]);
    expect(next.schema.features).toEqual([{ name: 'item', kind: 'categorical', size: 5 }]);
    expect([...(next.train.ids[0] as Int32Array)]).toEqual([3, 4, 1, 4]);
    // Values that only other parts have are unknown, as always.
    expect([...(next.test.ids[0] as Int32Array)]).toEqual([0]);
    expect(next.vocabulary.usage).toEqual({
      generation: 1,
      tables: [{ lastSeen: [1, 0, 1, 1], count: [2, 1, 2, 2] }],
    });
  });

  it('evicts what training rows have not had for a while, and uses its ids again', () => {
    const first = items('a', 'b', 'b', 'c', 'd');
    const second = items('c', 'a').continuing(first.vocabulary, { unseenFor: 2 });
    expect(second.vocabulary.values).toEqual([['a', 'b', 'c', 'd']]);
    const third = (evict: Parameters<Dataset['continuing']>[1]) =>
      items('e', 'a').continuing(second.vocabulary, evict).vocabulary;
    expect(third(undefined).values).toEqual([['a', 'b', 'c', 'd', 'e']]);
    // b and d go; e takes the place of b, c moves to the gap that d leaves or stays.
    expect(third({ unseenFor: 2 }).values).toEqual([['a', 'e', 'c']]);
    expect(third({ unseenFor: 2, fewerThan: 2 }).values).toEqual([['a', 'b', 'c', 'e']]);
    expect(third({ unseenFor: 1 }).values).toEqual([['a', 'e']]);
    expect(third({ unseenFor: 1 }).usage).toEqual({
      generation: 2,
      tables: [{ lastSeen: [2, 2], count: [3, 1] }],
    });
    expect(third({ unseenFor: 3 }).values).toEqual([['a', 'b', 'c', 'd', 'e']]);
  });

  it('moves the last ids into gaps, so that none are left', () => {
    const first = items(...'abcdefgh');
    const next = items('h', 'f', 'c').continuing(first.vocabulary, { unseenFor: 1 });
    expect(next.vocabulary.values).toEqual([['f', 'h', 'c']]);
    expect([...(next.train.ids[0] as Int32Array)]).toEqual([2, 1, 3]);
  });

  it('adds domains, counts shared tables together, and keeps numbers and buckets', () => {
    const features: Features = [
      'item',
      { name: 'seen', kind: 'multi-valued', table: 'item' },
      { name: 'user', buckets: 7 },
      { name: 'price', kind: 'numeric' },
    ];
    const of = (item: string[], seen: string[][], price: number[], shop: string) =>
      dataOf({ item, seen, price, user: item }, features, shop);
    const first = of(['a', 'b', 'a', 'b'], [['c'], [], [], []], [1, 3, 0, 0], 'two');
    const next = of(
      ['a', 'd', 'a', 'b'],
      [['b', 'a'], ['e', 'c', 'b'], [], []],
      [3, 5, 0, 0],
      'one',
    );
    const { schema, vocabulary, train } = next.continuing(first.vocabulary, { unseenFor: 1 });
    expect(schema.domains).toEqual(['two', 'one']);
    expect([...train.domainOffsets]).toEqual([0, 0, 2]);
    expect(vocabulary.values).toEqual([['a', 'b', 'c', 'd', 'e'], []]);
    expect(vocabulary.usage.tables[0]?.count).toEqual([3, 3, 2, 1, 1]);
    expect(schema.features.map((own) => ('size' in own ? own.size : own.mean))).toEqual([
      6, 6, 7, 2,
    ]);
    // The longest list of either.
    expect(schema.features[1]).toMatchObject({ width: 3 });
    expect([...(train.lists?.[0]?.ids ?? [])]).toEqual([2, 1, 5, 3, 2]);
    expect(train.numbers?.[0]?.[0]).toBe(1);
  });

  it('is saved with what decides who goes next', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'polydomain-'));
    try {
      const first = items('a', 'b', 'c');
      await first.save(join(folder, 'first'));
      const opened = await Dataset.open(join(folder, 'first'));
      expect(opened.vocabulary.usage).toEqual(first.vocabulary.usage);
      const next = items('c', 'a').continuing(first.vocabulary);
      await next.save(join(folder, 'next'));
      const again = await Dataset.open(join(folder, 'next'));
      expect(again.vocabulary.usage).toEqual(next.vocabulary.usage);
      expect(again.vocabulary.values).toEqual(next.vocabulary.values);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('refuses other features, ids without values and other rules', () => {
    const { vocabulary } = items('a');
    const other = dataOf({ user: ['a', 'x', 'y'] }, ['user']);
    expect(() => other.continuing(vocabulary)).toThrow(DataError);
    expect(() => other.continuing(vocabulary)).toThrow(/the data has no feature 'item'/);
    const numeric = dataOf({ item: [1, 2, 3] }, [{ name: 'item', kind: 'numeric' }]);
    expect(() => numeric.continuing(vocabulary)).toThrow(/feature 'item' is numeric; expected ids/);
    const { schema, train, validation, test } = items('a');
    const bare = Dataset.of(schema, [[]], [train, validation, test]);
    expect(() => bare.continuing(vocabulary)).toThrow(/'item' has ids without raw values/);
    expect(() => items('b').continuing(bare.vocabulary)).toThrow(/'item' has ids without raw/);
    expect(() => items('b').continuing(vocabulary, { unseenFor: 0 })).toThrow(ConfigError);
    expect(() => items('b').continuing(vocabulary, {} as never)).toThrow(/evict\.unseenFor/);
  });
});
