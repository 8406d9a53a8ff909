import { describe, expect, it } from 'vitest';
import { splitNames } from '../../ts/data/types.js';
import { Dataset, type NegativeRule, type Roles } from '../../ts/index.js';
import { temporaryFolder } from '../folder.js';
import { contentsOf, type Decoded, decode, writeTable } from './tables.js';

const path = temporaryFolder();

type Rule = Partial<NegativeRule>;
type Purchase = readonly [shop: string, user: string, item: string, part: string];

/**
 * Two shops that share users 10 to 29 and no item. Everyone buys 6 items: 4 in training, 1 in
 * validation or test as the user is even or odd, and 1 in training again. Training knows every value.
 */
const purchases = [
  { shop: 'a', users: 30, items: 40, step: 5 },
  { shop: 'b', users: 20, items: 20, step: 3 },
].flatMap(({ shop, users, items, step }) =>
  Array.from({ length: 6 * users }, (_, row): Purchase => {
    const [user, i] = [Math.floor(row / 6), row % 6];
    const part = i !== 4 ? 'train' : user % 2 === 0 ? 'validation' : 'test';
    const name = shop === 'a' ? user : user + 10;
    return [shop, `u${name}`, `${shop}${(user + i * step) % items}`, part];
  }),
);

function from(rows: readonly Purchase[], rule: Rule, more: Partial<Roles> = {}): Dataset {
  const [shop, user, item, part] = [0, 1, 2, 3].map((c) => rows.map((row) => row[c] as string));
  return Dataset.from({ shop, user, item, part } as Record<string, string[]>, {
    domain: 'shop',
    features: ['user', 'item'],
    split: { column: 'part' },
    negatives: { method: 'by-positive', user: 'user', item: 'item', ratio: 1, ...rule },
    ...more,
  });
}

interface Drawn {
  readonly positives: readonly Decoded[];
  readonly negatives: readonly Decoded[];
}

function drawn(data: Dataset): Drawn {
  const rows = decode(data);
  return {
    positives: rows.filter(({ label }) => label === 1),
    negatives: rows.filter(({ label }) => label === 0),
  };
}

const groupOf = ({ domain, part }: Decoded): string => `${domain} ${part}`;
const userOf = ({ domain, values }: Decoded): string => `${domain} ${values[0]}`;
const pairOf = ({ values }: Decoded): string => values.join();
const setOf = (rows: readonly Decoded[], key: (row: Decoded) => string): Set<string> =>
  new Set(rows.map(key));

function countBy(rows: readonly Decoded[], key: (row: Decoded) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1);
  return counts;
}

describe.each(['by-positive', 'per-user'] as const)('negatives %s', (method) => {
  it.each(['domain', 'all'] as const)('leave the positives as they are: from %s', (of) => {
    const { positives } = drawn(from(purchases, { method, from: of, ratio: 0.5 }));
    expect(positives.map(({ domain, part, values }) => [domain, ...values, part]).sort()).toEqual(
      purchases.map((purchase) => [...purchase]).sort(),
    );
  });

  it.each(['domain', 'all'] as const)('are no pair that any part or domain knows: %s', (of) => {
    const { positives, negatives } = drawn(from(purchases, { method, from: of, ratio: 0.5 }));
    const known = setOf(positives, pairOf);
    expect(negatives.length).toBeGreaterThan(500);
    expect(negatives.filter((row) => known.has(pairOf(row)))).toEqual([]);
  });

  it("are of the domain's items, or of all", () => {
    const foreign = (rule: Rule) =>
      drawn(from(purchases, { method, ratio: 0.5, ...rule })).negatives.filter(
        ({ domain, values }) => !values[1]?.startsWith(domain),
      );
    expect(foreign({})).toEqual([]);
    expect(foreign({ from: 'domain' })).toEqual([]);
    expect(setOf(foreign({ from: 'all' }), ({ domain }) => domain)).toEqual(new Set(['a', 'b']));
  });

  it('are the same for the same seed and others for another', () => {
    const of = (seed: number) => contentsOf(from(purchases, { method }, { seed }));
    expect(of(3)).toEqual(of(3));
    expect(of(3)).not.toEqual(of(4));
  });

  it.each([1, 2, 3])('reach every part of rows in the order of time: ratio %d', (ratio) => {
    const inTime = purchases.map(([shop, user, item], i): Purchase => {
      return [shop, user, item, splitNames[Math.floor((i % 6) / 2)] as string];
    });
    const { negatives } = drawn(from(inTime, { method, ratio }));
    expect(setOf(negatives, groupOf).size).toBe(6);
  });

  it('are no pair that is excluded', async () => {
    const users = ['u0', 'u1', 'u2', 'u3'];
    const kinds = ['bought', 'bought', 'seen', 'seen', 'seen', undefined];
    const rows = users.flatMap((user, u) =>
      kinds.flatMap((kind, i) => (kind ? [{ user, item: `i${(u + i) % 6}`, kind }] : [])),
    );
    const source = path('rows.jsonl');
    await writeTable(source, {
      shop: [...rows.map(() => 'a'), 'a', 'a'],
      user: [...rows.map(({ user }) => user), 'nobody', 'u0'],
      item: [...rows.map(({ item }) => item), 'i0', 'nothing'],
      kind: [...rows.map(({ kind }) => kind), 'seen', 'seen'],
      part: [...rows.map(() => 'train'), 'train', 'train'],
    });
    const options = (exclude: string | undefined) => ({
      source,
      query: "select * from read_json('{source}') where kind = 'bought'",
      domain: 'shop',
      features: ['user', 'item'],
      split: { column: 'part' },
      negatives: {
        method,
        user: 'user',
        item: 'item',
        ratio: 1,
        ...(exclude === undefined ? {} : { exclude }),
      },
    });
    const pairs = async (exclude?: string) => [
      ...setOf(drawn(await Dataset.open(options(exclude))).negatives, pairOf),
    ];
    const seen = "select \"user\", item from read_json('{source}') where kind = 'seen'";
    // All that a user has neither bought nor seen; the item i5 was bought by nobody.
    expect((await pairs(seen)).sort()).toEqual(['u1,i0', 'u2,i1', 'u3,i2']);
    expect((await pairs()).length).toBeGreaterThan(3);
    await expect(pairs("select item from read_json('{source}')")).rejects.toThrow("column 'user'");
  });
});

describe('negatives by positive', () => {
  it.each([0.5, 1, 1.125, 3, 7])('are trunc(positives / %d) in each domain and part', (ratio) => {
    const { positives, negatives } = drawn(from(purchases, { ratio }));
    const counts = countBy(negatives, groupOf);
    for (const [group, count] of countBy(positives, groupOf)) {
      expect(counts.get(group) ?? 0).toBe(Math.trunc(count / ratio));
    }
    expect(positives.filter(({ part }) => part !== 'train')).toHaveLength(50);
  });

  it('are of users that have positives in the same domain and part', () => {
    const { positives, negatives } = drawn(from(purchases, { ratio: 0.25, from: 'all' }));
    const key = (row: Decoded) => `${groupOf(row)} ${userOf(row)}`;
    expect(setOf(negatives, key)).toEqual(setOf(positives, key));
  });

  it('are of users as often as these have positives', () => {
    const busy = Array.from({ length: 90 }, (_, i): Purchase => ['a', 'busy', `i${i}`, 'train']);
    const calm = Array.from({ length: 10 }, (_, i): Purchase => ['a', 'calm', `j${i}`, 'train']);
    const more = Array.from({ length: 900 }, (_, i): Purchase => ['b', 'other', `i${i}`, 'train']);
    const rows = [...busy, ...calm, ...more];
    const { negatives } = drawn(from(rows, { ratio: 0.05, from: 'all' }));
    const own = negatives.filter(({ domain }) => domain === 'a');
    expect(own).toHaveLength(2000);
    const share = own.filter(({ values }) => values[0] === 'busy').length / own.length;
    expect(share).toBeGreaterThan(0.86);
    expect(share).toBeLessThan(0.93);
  });

  it('are fewer where users know nearly everything, and none where they know all', () => {
    const all = (user: string, items: number) =>
      Array.from({ length: items }, (_, i): Purchase => ['a', user, `i${i}`, 'train']);
    expect(drawn(from([...all('u', 9), ...all('v', 9)], {})).negatives).toEqual([]);
    const { negatives } = drawn(from([...all('u', 10), ...all('v', 9)], { ratio: 0.5 }));
    expect(setOf(negatives, pairOf)).toEqual(new Set(['v,i9']));
  });

  it('have a ratio of two digits that each domain draws from a range', () => {
    const shops = ['a', 'b', 'c', 'd', 'e', 'f'];
    const rows = shops.flatMap((shop) =>
      Array.from({ length: 1200 }, (_, i): Purchase => {
        const part = i % 6 === 4 ? 'validation' : i % 6 === 5 ? 'test' : 'train';
        return [shop, `u${i % 200}`, `i${(i + Math.floor(i / 200) * 31) % 199}`, part];
      }),
    );
    const data = from(rows, { ratio: [0.2, 0.5] });
    const { positives, negatives } = drawn(data);
    const [known, counts] = [countBy(positives, groupOf), countBy(negatives, groupOf)];
    const digits = Array.from({ length: 31 }, (_, i) => (20 + i) / 100);
    const ratios = shops.map((shop) => {
      const fits = (ratio: number, part: string) =>
        counts.get(`${shop} ${part}`) === Math.trunc((known.get(`${shop} ${part}`) ?? 0) / ratio);
      return digits.filter((ratio) => splitNames.every((part) => fits(ratio, part)));
    });
    expect(ratios.map(({ length }) => length)).toEqual(shops.map(() => 1));
    expect(new Set(ratios.flat()).size).toBeGreaterThan(3);
    expect(contentsOf(from(rows, { ratio: [0.2, 0.5] }))).toEqual(contentsOf(data));
  });
});

describe('negatives per user', () => {
  it.each([0.5, 1, 2, 4, 7])('are int(positives / %d) of each user, all different', (ratio) => {
    const { positives, negatives } = drawn(from(purchases, { method: 'per-user', ratio }));
    const counts = countBy(negatives, userOf);
    for (const [user, count] of countBy(positives, userOf)) {
      expect(counts.get(user) ?? 0).toBe(Math.trunc(count / ratio));
    }
    expect(setOf(negatives, (row) => `${row.domain} ${pairOf(row)}`).size).toBe(negatives.length);
  });

  it('are in a part in which the user has positives', () => {
    for (const ratio of [0.2, 0.5, 1, 2]) {
      const { positives, negatives } = drawn(from(purchases, { method: 'per-user', ratio }));
      const key = (row: Decoded) => `${row.part} ${userOf(row)}`;
      const known = setOf(positives, key);
      expect(negatives.filter((row) => !known.has(key(row)))).toEqual([]);
    }
  });

  it('follow the positives into the parts: as many of each, one for one', () => {
    const { positives, negatives } = drawn(from(purchases, { method: 'per-user', ratio: 1 }));
    const key = (row: Decoded) => `${row.part} ${userOf(row)}`;
    expect(countBy(negatives, key)).toEqual(countBy(positives, key));
  });

  it('are all that is left where the user knows nearly everything', () => {
    const rows = [
      ...Array.from({ length: 20 }, (_, i): Purchase => ['a', 'all', `i${i}`, 'train']),
      ...Array.from({ length: 18 }, (_, i): Purchase => ['a', 'most', `i${i}`, 'train']),
      ...Array.from({ length: 3 }, (_, i): Purchase => ['a', 'some', `i${i}`, 'train']),
    ];
    const { negatives } = drawn(from(rows, { method: 'per-user', ratio: 1 }));
    const pairs = negatives.map(pairOf).sort();
    expect(pairs.slice(0, 2)).toEqual(['most,i18', 'most,i19']);
    expect(pairs).toHaveLength(5);
    expect(pairs.slice(2).every((pair) => pair.startsWith('some,'))).toBe(true);
  });
});
