import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CheckpointError,
  ConfigError,
  DataError,
  Dataset,
  type PrepareOptions,
  type Roles,
} from '../../ts/index.js';
import { errorOf } from '../error-of.js';
import { temporaryFolder } from '../folder.js';
import { kindsRoles, kindsTable } from '../kinds.js';
import { type Table, writeParquet, writeTable } from './tables.js';

const path = temporaryFolder();
/** Several of DuckDB's pieces of 2,048 rows. */
const table = {
  ...kindsTable(5000),
  day: Array.from({ length: 5000 }, (_, row) => row % 100),
  street: Array.from({ length: 5000 }, (_, row) => `street ${row % 1250}`),
  // Of few enough pairs that some are drawn which are known.
  reader: Array.from({ length: 5000 }, (_, row) => `r${(row * 7919) % 151}`),
  book: Array.from({ length: 5000 }, (_, row) => `b${(row * 104_729) % 97}`),
  pages: Array.from({ length: 5000 }, (_, row) => (row * 31) % 500),
};

/** Whose label negatives tell. */
const positives = {
  label: undefined,
  features: ['reader', 'book', ...kindsRoles.features, { name: 'pages', kind: 'numeric' }],
} as Partial<Roles>;
const negatives = { method: 'by-positive', user: 'reader', item: 'book', ratio: 0.7 } as const;

async function filesOf(folder: string): Promise<Record<string, Buffer>> {
  const names = (await readdir(folder)).sort();
  const entries = names.map(async (name) => [name, await readFile(join(folder, name))] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function written(source: string, of: Table): Promise<string> {
  await (source.endsWith('.parquet') ? writeParquet : writeTable)(path(source), of);
  return path(source);
}

describe('rows that are prepared straight into a folder', () => {
  const cases: Record<string, Partial<Roles>> = {
    'parts by a column': {},
    'weights, random parts': { weight: 'weight', split: { random: [0.7, 0.1, 0.2] }, seed: 3 },
    'parts by time': { split: { time: 'day', at: [70, 80] } },
    'domains that are too small': { domain: 'user', minRows: 240 },
    'a domain for every few rows': { domain: 'street', split: { random: [0.7, 0.1, 0.2] } },
    'one feature, lists as long as those of training': {
      features: [{ name: 'tags', kind: 'multi-valued', separator: '|' }],
      split: { time: 'day', at: [1, 80] },
    },
    'negatives by positives': { ...positives, negatives },
    "negatives per user, with what is the items', in a random part": {
      ...{ ...positives, weight: 'weight', split: { random: [0.7, 0.1, 0.2] } as const, seed: 5 },
      negatives: {
        ...{ ...negatives, method: 'per-user', ratio: [0.4, 2], from: 'all' },
        itemFeatures: ['pages', 'tags', 'history'],
      },
    },
    'negatives of a few domains, without some pairs, with weights that are a feature': {
      ...{ ...positives, domain: 'street', minRows: 4, weight: 'pages' },
      split: { time: 'day', at: [70, 80] },
      negatives: {
        ...{ ...negatives, from: 'all', itemFeatures: ['pages'] },
        exclude: `select reader, book from '{source}' where day < 50
                  union all select 'nobody', 'b1' union all select 'r1', 'nothing'`,
      },
    },
    'shared tables in another order': {
      features: [
        { name: 'history', kind: 'multi-valued', separator: '|', table: 'item' },
        { name: 'item', table: 'item' },
      ],
    },
  };

  it.each(Object.entries(cases))(
    'are byte for byte those that are prepared in memory: %s',
    async (_, own) => {
      const source = await written('log.jsonl', table);
      const options = { source, ...kindsRoles, ...own };
      await (await Dataset.open(options)).save(path('memory'));
      await Dataset.prepare(options, path('disk'));
      const files = await filesOf(path('disk'));
      expect(Object.keys(files)).toEqual([
        'dataset.safetensors',
        'schema.json',
        'vocabulary.jsonl',
      ]);
      expect(files).toEqual(await filesOf(path('memory')));
    },
  );

  it.each(['csv', 'parquet'])('come from %s too, and from queries', async (ending) => {
    const { tags, ...rest } = table;
    const source = await written(`log.${ending}`, rest);
    const features = kindsRoles.features.filter(
      (feature) => typeof feature === 'string' || feature.name !== 'tags',
    );
    for (const query of [undefined, `select * from '{source}' where price < 500000`]) {
      const options = { source, ...(query && { query }), ...kindsRoles, features };
      await (await Dataset.open(options)).save(path('memory'));
      await Dataset.prepare(options, path('disk'));
      expect(await filesOf(path('disk'))).toEqual(await filesOf(path('memory')));
    }
  });

  describe('with the ids of an earlier vocabulary', () => {
    const day = kindsTable(600);
    /** Of other domains, values, numbers and lengths of lists, and features in another order. */
    const earlier = (shops: readonly string[], roles: Partial<Roles> = {}) =>
      Dataset.from(
        {
          ...day,
          ...{ reader: day.item.map((item) => item.replace('i', 'r')), book: day.user },
          shop: day.shop.map((_, row) => shops[row % shops.length]),
          item: day.item.map((item) => (item > 'i5' ? item : `x${item}`)),
          price: day.price.map((price) => price / 7),
          tags: day.tags.map((tags) => tags.slice(0, 1)),
        },
        { ...kindsRoles, features: kindsRoles.features.toReversed().slice(1), ...roles },
      ).vocabulary;
    const same = async (
      ids: PrepareOptions,
      inMemory: (data: Dataset) => Dataset,
      roles: Partial<Roles> = {},
    ) => {
      const source = await written('log.jsonl', table);
      const options = { source, ...kindsRoles, ...roles };
      await inMemory(await Dataset.open(options)).save(path('memory'));
      await Dataset.prepare(options, path('disk'), ids);
      expect(await filesOf(path('disk'))).toEqual(await filesOf(path('memory')));
    };

    it.each([undefined, { unseenFor: 1 }, { unseenFor: 1, fewerThan: 9 }])(
      'that goes on, as in memory: evict %j',
      async (evict) => {
        const continuing = earlier(['d', 'c']);
        const ids = { continuing, ...(evict && { evict }) };
        await same(ids, (data) => data.continuing(continuing, evict));
        const { vocabulary, train } = await Dataset.open(path('disk'));
        expect(vocabulary.schema.domains).toEqual(['c', 'd', 'a', 'b']);
        expect(train.domainOffsets[1]).toBe(train.domainOffsets[2]);
        // And once more, from one that went on itself.
        const again = { continuing: vocabulary, evict: { unseenFor: 2 } };
        await same(again, (data) => data.continuing(vocabulary, { unseenFor: 2 }));
      },
    );

    it('as they are, as in memory', async () => {
      const as = earlier(['a', 'b', 'c', 'd']);
      await same({ as }, (data) => data.as(as));
      // Longer lists are cut.
      const { schema, vocabulary } = await Dataset.open(path('disk'));
      expect(schema).toEqual(as.schema);
      expect(vocabulary.usage).toEqual(as.usage);
    });

    it('with random parts, weights and negatives too', async () => {
      const features: Roles['features'] = ['book', { name: 'reader', table: 'item' }, 'item'];
      const continuing = earlier(['d', 'c'], { features });
      await same({ continuing }, (data) => data.continuing(continuing), {
        ...{ ...positives, features: features.toReversed(), weight: 'weight', negatives },
        split: { random: [0.7, 0.1, 0.2] },
      });
    });

    it('stay on disk where they continue in the same way, and only then', async () => {
      const continuing = earlier(['d', 'c']);
      const evict = { unseenFor: 1 };
      const source = await written('log.jsonl', table);
      await Dataset.prepare({ source, ...kindsRoles }, path('disk'), { continuing, evict });
      const opened = await Dataset.open({ source: path('disk'), dataBudget: 0 });
      expect(opened.streamed).toBe(true);
      expect(opened.continuing(continuing, evict)).toBe(opened);
      const error = await errorOf(() => opened.continuing(continuing));
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(
        /dataset\.safetensors' stay on disk.*expected them prepared with those of the vocabulary/,
      );
    });

    it('refuse what does not fit', async () => {
      const source = await written('log.jsonl', table);
      const vocabulary = earlier(['d', 'c']);
      const other = earlier(['a', 'b', 'c'], { features: ['weight'] });
      for (const [ids, type, message] of [
        [{ as: vocabulary }, DataError, /domain 'a'/],
        [{ as: other }, DataError, /no feature 'weight'/],
        [{ continuing: other }, DataError, /no feature 'weight'/],
        [{ as: vocabulary, continuing: vocabulary }, ConfigError, /expected one vocabulary/],
        [{ evict: { unseenFor: 1 } }, ConfigError, /prepare\.evict: expected continuing/],
        [{ continuing: vocabulary, evict: { unseenFor: 0 } }, ConfigError, /evict\.unseenFor/],
      ] as const) {
        const error = await errorOf(() =>
          Dataset.prepare({ source, ...kindsRoles }, path('disk'), ids),
        );
        expect(error, String(message)).toBeInstanceOf(type);
        expect(error.message).toMatch(message);
        expect(await readdir(path('.'))).not.toContain('disk');
      }
    });
  });

  it('tell where a value is bad, as those in memory do, and leave nothing behind', async () => {
    const spoil = (column: keyof typeof table, value: unknown) => ({
      ...table,
      [column]: (table[column] as unknown[]).map((own, row) => (row === 4321 ? value : own)),
    });
    for (const [column, value] of [
      ['clicked', 2],
      ['shop', null],
      ['item', null],
      ['age', 'old'],
      ['part', 'training'],
    ] as const) {
      const source = await written('log.jsonl', spoil(column, value) as Table);
      const options = { source, ...kindsRoles };
      const expected = await errorOf(() => Dataset.open(options));
      const error = await errorOf(() => Dataset.prepare(options, path('disk')));
      expect(error).toBeInstanceOf(DataError);
      expect(error.message).toBe(expected.message);
      expect(error.message).toMatch(/row 4322/);
      expect(await readdir(path('.'))).not.toContain('disk');
    }
  });

  it('need a file, columns and labels', async () => {
    const source = await written('log.jsonl', table);
    const prepared = (options: object) =>
      errorOf(() => Dataset.prepare({ source, ...kindsRoles, ...options }, path('disk')));
    for (const [options, type, message] of [
      [{ source: path('none.csv') }, DataError, /does not exist/],
      [{ features: ['itm'] }, DataError, /no column 'itm'.*item/],
      [{ label: undefined }, ConfigError, /expected either label or negatives/],
      [{ negatives }, ConfigError, /expected either label or negatives/],
      [{ ...positives, negatives: { ...negatives, user: 'redaer' } }, ConfigError, /mean 'reader'/],
      [{ ...positives, negatives: { ...negatives, item: 'pages' } }, ConfigError, /is numeric/],
      [
        { ...positives, negatives: { ...negatives, exclude: 'select 1 as reader' } },
        DataError,
        /no column 'book'/,
      ],
      [{ ...positives, negatives: { ...negatives, exclude: 'selct' } }, DataError, /be read/],
      [{ split: { random: [0.5, 0.1, 0.1] } }, ConfigError, /add up to 1/],
      [{ minRows: 1e6 }, DataError, /no domain of 3 has 1000000 rows/],
      [{ query: 'selct' }, DataError, /could not be read/],
    ] as const) {
      const error = await prepared(options);
      expect(error).toBeInstanceOf(type);
      expect(error.message).toMatch(message);
    }
    expect(await readdir(path('.'))).not.toContain('disk');
    const error = await errorOf(() => Dataset.prepare({ source, ...kindsRoles }, '/dev/null/none'));
    expect(error).toBeInstanceOf(CheckpointError);
  });
});
