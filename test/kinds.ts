import { Random } from '../ts/data/random.js';
import { Dataset, type Roles } from '../ts/index.js';

/** Columns of a log with every kind of feature; numbers and lists are missing here and there. */
export function kindsTable(rows = 300) {
  const random = new Random(11);
  const of = <Value>(make: (row: number) => Value) =>
    Array.from({ length: rows }, (_, row) => make(row));
  const name = (prefix: string, count: number) => `${prefix}${random.below(count)}`;
  const item = of(() => name('i', 12));
  const age = of(() => (random.below(6) === 0 ? null : 20 + random.below(50)));
  const tags = of(() => Array.from({ length: random.below(4) }, () => name('t', 6)));
  return {
    shop: of((row) => ['a', 'b', 'c'][row % 3] as string),
    part: of(
      (row) => (['train', 'train', 'validation', 'test'] as const)[(row >> 2) % 4] as string,
    ),
    user: of(() => name('u', 20)),
    item,
    age,
    price: of(() => random.next() * 1e6),
    constant: of(() => 7),
    tags,
    history: of(() => Array.from({ length: random.below(3) }, () => name('i', 14)).join('|')),
    clicked: of((row) => (((age[row] ?? 30) + (tags[row]?.length ?? 0) * 9) % 20 < 10 ? 1 : 0)),
    weight: of(() => random.below(3) / 2),
  };
}

/** Every kind: hashed ids, a table that two features share, numbers and lists. */
export const kindsRoles: Roles = {
  domain: 'shop',
  label: 'clicked',
  split: { column: 'part' },
  features: [
    'item',
    { name: 'age', kind: 'numeric' },
    { name: 'user', buckets: 8 },
    { name: 'tags', kind: 'multi-valued', pooling: 'sum' },
    { name: 'history', kind: 'multi-valued', separator: '|', table: 'item', maxValues: 2 },
    { name: 'price', kind: 'numeric' },
    { name: 'constant', kind: 'numeric' },
  ],
};

export function kindsData(roles: Partial<Roles> = {}): Dataset {
  return Dataset.from(kindsTable(), { ...kindsRoles, ...roles });
}
