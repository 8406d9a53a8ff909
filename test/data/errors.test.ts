import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  DataError,
  Dataset,
  type DatasetOptions,
  Predictor,
  type Roles,
  type Row,
  type Schema,
  type Split,
} from '../../ts/index.js';
import { errorOf } from '../error-of.js';
import { temporaryFolder } from '../folder.js';
import { toyData, toyModel } from '../toy.js';
import { contentsOf, writeTable } from './tables.js';

const path = temporaryFolder();

const roles: Roles = {
  domain: 'shop',
  label: 'clicked',
  features: ['user', 'item'],
  split: { column: 'part' },
};
const columns = {
  shop: ['toys', 'toys', 'books', 'books'],
  user: [1, 2, 1, 3],
  item: ['a', 'b', 'c', 'd'],
  clicked: [1, 0, 1, 0],
  part: ['train', 'test', 'train', 'validation'],
  time: ['2020-01-01', '2020-02-01', '2020-01-01', '2020-03-01'],
};

type ErrorClass = typeof DataError | typeof ConfigError;

/** Expects an error of a class that says all of the texts. */
async function expectError(
  attempt: () => unknown,
  type: ErrorClass,
  texts: readonly string[],
): Promise<void> {
  const error = await errorOf(attempt);
  expect(error).toBeInstanceOf(type);
  expect(error.name).toBe(type.name);
  for (const text of texts) expect(error.message).toContain(text);
}

describe('a file of raw rows', () => {
  const open = (source: string, more: Partial<DatasetOptions> = {}) =>
    Dataset.open({ source, ...roles, ...more });

  it('must exist', async () => {
    const source = path('nowhere.csv');
    await expectError(() => open(source), DataError, [source, 'does not exist', 'CSV, Parquet']);
    await expectError(() => open(source, { query: "from '{source}'" }), DataError, [source]);
  });

  it.each(['rows.txt', 'rows'])('must have an ending that is known: %s', async (name) => {
    await writeTable(path(name), columns);
    const told = [path(name), '.csv, .parquet, .jsonl or .ndjson'];
    await expectError(() => open(path(name)), DataError, told);
  });

  it('must have the columns that are asked for', async () => {
    const source = path('rows.csv');
    await writeTable(source, columns);
    const told = (name: string, nearest: string) => [
      `'${source}' has no column '${name}'`,
      `did you mean '${nearest}'?`,
      'shop, user, item, clicked, part, time',
    ];
    const attempts: [Partial<Roles>, string, string][] = [
      [{ features: ['user', 'itm'] }, 'itm', 'item'],
      [{ domain: 'shops' }, 'shops', 'shop'],
      [{ label: 'click' }, 'click', 'clicked'],
      [{ split: { column: 'parts' } }, 'parts', 'part'],
      [{ split: { time: 'times', at: ['2020-01-15', '2020-02-15'] } }, 'times', 'time'],
    ];
    for (const [more, name, nearest] of attempts) {
      await expectError(() => open(source, more), DataError, told(name, nearest));
    }
  });

  it.each([
    ['rows.jsonl', '{"shop": "toys", "user": 1}\n{"shop": "toys", "us'],
    ['rows.parquet', 'PAR1 no more PAR1'],
  ])('must not be broken: %s', async (name, content) => {
    await writeFile(path(name), content);
    await expectError(() => open(path(name)), DataError, [path(name), 'could not be read']);
  });

  it('must have rows', async () => {
    const names = Object.keys(columns);
    await writeTable(path('rows.csv'), Object.fromEntries(names.map((name) => [name, []])));
    await expectError(() => open(path('rows.csv')), DataError, ["column 'shop'", 'expected one']);
  });

  it('must be read by a query that runs', async () => {
    await writeTable(path('rows.csv'), columns);
    const query = "select * from read_csv('{source}') where nothing = 1";
    await expectError(() => open(path('rows.csv'), { query }), DataError, ['rows.csv', 'nothing']);
  });

  it.each([
    ['rows.csv', "column 'user', row 2: null"],
    ['rows.jsonl', "column 'user', row 2: null"],
  ])('must have a value in every row of a feature: %s', async (name, told) => {
    await writeTable(path(name), { ...columns, user: [1, null, 1, 3] });
    await expectError(() => open(path(name)), DataError, [told, 'expected a value']);
  });
});

describe('arrays of raw rows', () => {
  const from = (changed: Readonly<Record<string, readonly unknown[]>>, more: Partial<Roles> = {}) =>
    Dataset.from({ ...columns, ...changed }, { ...roles, ...more });

  it.each([2, -1, 0.5, 'yes', ''])('must have labels of 0 and 1, not %j', async (label) => {
    await expectError(() => from({ clicked: [1, 0, label, 0] }), DataError, [
      `column 'clicked', row 3: '${label}'`,
      'expected 0 or 1',
    ]);
  });

  it.each([null, undefined, Number.NaN])('must not have %s in place of a value', async (value) => {
    for (const name of ['user', 'clicked', 'shop']) {
      const changed = { [name]: columns[name as 'user'].with(2, value as number) };
      const told = [`column '${name}', row 3: ${value}`, 'expected a value'];
      await expectError(() => from(changed), DataError, told);
    }
    const at: [string, string] = ['2020-01-15', '2020-02-15'];
    await expectError(
      () => from({ time: [value, ...columns.time.slice(1)] }, { split: { time: 'time', at } }),
      DataError,
      [`column 'time', row 1: ${value}`],
    );
  });

  it('are counted from their own first row, also where domains are left out', async () => {
    const changed = {
      shop: ['tiny', 'toys', 'toys', 'toys'],
      user: [1, 1, 2, null],
      part: ['train', 'train', 'train', 'train'],
    };
    await expectError(() => from(changed, { minRows: 2 }), DataError, ["'user', row 4: null"]);
  });

  it.each(['training', null, 'toString'])(
    'must name parts that there are, not %s',
    async (part) => {
      await expectError(() => from({ part: ['train', part, 'train', 'test'] }), DataError, [
        `column 'part', row 2: '${part}'`,
        'expected train, validation, val or test',
      ]);
    },
  );

  it.each(['usr', 'toString'])('must have the columns that are asked for, as %s', async (name) => {
    await expectError(() => from({}, { features: [name] }), DataError, [
      `no column '${name}'`,
      'did you mean',
      'shop, user, item, clicked, part, time',
    ]);
  });

  it('must be of the same length', async () => {
    await expectError(() => from({ item: ['a', 'b', 'c'] }), DataError, [
      "column 'item' has 3 rows; expected 4 as 'shop' has",
    ]);
  });

  it('must have training rows in every domain', async () => {
    await expectError(() => from({ part: ['train', 'test', 'val', 'test'] }), DataError, [
      "train: domain 'books' has no rows",
      'minRows',
    ]);
  });

  it('must have a domain of minRows rows', async () => {
    const told = ["column 'shop': no domain of 2 has 3 rows"];
    await expectError(() => from({}, { minRows: 3 }), DataError, told);
  });

  it('must have numbers to be split at numbers', async () => {
    const split = { time: 'time', at: [1, 2] } satisfies Roles['split'];
    const told = ["column 'time', row 1: '2020-01-01'; expected a number"];
    await expectError(() => from({}, { split }), DataError, told);
  });
});

describe('options', () => {
  const from = (options: object) => Dataset.from(columns, options as Roles);
  const negatives = { method: 'per-user', user: 'user', item: 'item', ratio: 1 };
  const bare = { domain: 'shop', features: ['user', 'item'], split: { column: 'part' } };

  it('must have keys that are known', async () => {
    const told = ["data: unknown key 'feature'; did you mean 'features'?", 'minRows'];
    await expectError(() => from({ ...roles, feature: ['user'] }), ConfigError, told);
    await expectError(
      () => from({ ...bare, negatives: { ...negatives, metod: 'per-user' } }),
      ConfigError,
      ["data.negatives: unknown key 'metod'; did you mean 'method'?"],
    );
    await expectError(
      () => Dataset.open({ ...roles, sourse: 'rows.csv' } as unknown as DatasetOptions),
      ConfigError,
      ['data.source: missing'],
    );
  });

  it.each([
    [{ minRows: 0 }, ['data.minRows: 0', '>=1']],
    [{ split: { random: [0.5, 0.5] } }, ['data.split', '{ random: [train, validation, test] }']],
    [{ domain: undefined }, ['data.domain: missing']],
    [{ lable: 'y' }, ["unknown key 'lable'; did you mean 'label'?"]],
    [{ negatives: { metod: 'all' } }, ['data.negatives.method: missing']],
    [{ dataBudget: 9 }, ["'dataBudget' does not go with 'label', 'domain', 'features', 'split'"]],
  ])('are those of a file, not of a folder: %j', async (changed, told) => {
    const { label, domain, features, split } = roles;
    const whole = { source: 'rows.csv', label, domain, features, split, ...changed };
    await expectError(() => Dataset.open(whole as DatasetOptions), ConfigError, told);
  });

  it.each([
    [{ domain: undefined }, ['data.domain: missing', 'string']],
    [{ features: [] }, ['data.features', '>=1']],
    [{ features: 'user' }, ['data.features: "user"', 'array']],
    [{ minRows: 0 }, ['data.minRows: 0', '>=1']],
    [{ seed: 0.5 }, ['data.seed: 0.5', 'int']],
    [{ split: undefined }, ['data.split: missing', 'expected { column }']],
    [{ split: { colum: 'part' } }, ['data.split', 'colum', 'expected { column }']],
    [{ split: { random: [0.5, 0.5] } }, ['data.split', '{ random: [train, validation, test] }']],
    [{ split: { random: [0, 0.5, 0.5] } }, ['data.split', 'random']],
  ])('must have values that are right: %j', async (changed, told) => {
    await expectError(() => from({ ...roles, ...changed }), ConfigError, told);
  });

  it.each([
    [{ method: 'all' }, ['data.negatives.method: "all"', 'by-positive', 'per-user']],
    [{ ratio: 0 }, ['data.negatives.ratio: 0', '>0']],
    [{ ratio: [1] }, ['data.negatives.ratio: [1]', 'range']],
    [{ from: 'shop' }, ['data.negatives.from: "shop"', 'domain', 'all']],
    [{ user: 'usr' }, ["data.negatives: 'usr'; did you mean 'user'?"]],
    [{ ratio: [0.5, 0.2] }, ['data.negatives.ratio: [0.5, 0.2]', 'expected the lower one first']],
    [{ item: 'user' }, ['data.negatives', "'user'"]],
    [{ exclude: 'select 1' }, ['data.negatives.exclude', 'expected a source']],
  ])('must have negatives that are right: %j', async (changed, told) => {
    await expectError(
      () => from({ ...bare, negatives: { ...negatives, ...changed } }),
      ConfigError,
      told,
    );
  });

  it('must name a user and an item to draw negatives', async () => {
    await expectError(() => from({ ...bare, features: ['user'], negatives }), ConfigError, [
      "data.negatives: 'item'; did you mean 'user'?",
    ]);
    const features = ['user', { name: 'item', kind: 'multi-valued', separator: '|' } as const];
    await expectError(() => from({ ...bare, features, negatives }), ConfigError, [
      "data.negatives: 'item' is multi-valued; expected a categorical",
    ]);
    const odd = { ...negatives, itemFeatures: ['user'] };
    await expectError(() => from({ ...bare, negatives: odd }), ConfigError, [
      "data.negatives.itemFeatures: 'user' is the user's column",
    ]);
  });

  it('must have either a label or negatives', async () => {
    const told = ['data', 'expected either label or negatives'];
    await expectError(() => from(bare), ConfigError, told);
    await expectError(() => from({ ...roles, negatives }), ConfigError, told);
  });

  it.each([[[0.6, 0.2, 0.1]], [[0.6, 0.3, 0.2]]])(
    'must have shares of 1, not %j',
    async (random) => {
      const told = [`split.random: [${random}]`, 'add up to 1'];
      await expectError(() => from({ ...roles, split: { random } }), ConfigError, told);
    },
  );

  it.each([
    [['2020-03-01', '2020-02-01'], 'expected the earlier moment first'],
    [['2020-02-01T10:00:00', '2020-02-01 09:00:00'], 'expected the earlier moment first'],
    [[10, 9], 'expected the earlier moment first'],
    [[9, '2020-02-01'], 'expected two numbers or two moments'],
  ])('must have two moments in their order, not %j', async (at, told) => {
    await expectError(() => from({ ...roles, split: { time: 'time', at } }), ConfigError, [
      `split.at: [${at}]`,
      told,
    ]);
  });

  it('must not compare numbers with moments', async () => {
    const table = { ...columns, time: [1577836800, 1580515200, 1577836800, 1583020800] };
    const split = { time: 'time', at: ['2020-01-15', '2020-02-15'] } satisfies Roles['split'];
    await expectError(() => Dataset.from(table, { ...roles, split }), DataError, [
      "column 'time', row 1",
      'expected',
    ]);
  });
});

describe('ids', () => {
  const schema: Schema = {
    label: 'clicked',
    domain: 'shop',
    features: [
      { name: 'user', kind: 'categorical', size: 3 },
      { name: 'item', kind: 'categorical', size: 4 },
    ],
    domains: ['books', 'toys'],
  };
  const names = [
    ['u1', 'u2'],
    ['i1', 'i2', 'i3'],
  ];
  const good: Split = {
    rows: 3,
    domainOffsets: Int32Array.of(0, 1, 3),
    ids: [Int32Array.of(0, 1, 2), Int32Array.of(3, 2, 1)],
    labels: Float32Array.of(0, 1, 1),
  };
  const of = (validation: Partial<Split>, values: readonly (readonly string[])[] = names) =>
    Dataset.of(schema, values, [good, { ...good, ...validation }, good]);
  const items = good.ids[1] as Int32Array;

  it('that fit the schema are a dataset', () => {
    expect(contentsOf(of({}))).toEqual({
      schema,
      values: names,
      train: good,
      validation: good,
      test: good,
    });
  });

  it.each([3, -1])('must be in range, not %d', async (id) => {
    await expectError(() => of({ ids: [Int32Array.of(0, id, 0), items] }), DataError, [
      "validation: 'user', row 1",
      `id ${id}; expected 0 to 2`,
    ]);
  });

  it.each([0.5, 2, Number.NaN])('must not have the label %d', async (label) => {
    await expectError(() => of({ labels: Float32Array.of(0, 1, label) }), DataError, [
      'validation: row 2',
      `label ${label}; expected 0 or 1`,
    ]);
  });

  it.each<[string, Partial<Split>, string[]]>([
    ['few ids', { ids: [Int32Array.of(0, 1), items] }, ["'user' has 2 rows; expected 3"]],
    ['many ids', { ids: [Int32Array.of(0, 1, 2, 0), items] }, ["'user' has 4 rows; expected 3"]],
    ['few labels', { labels: Float32Array.of(0, 1) }, ['2 labels', 'expected 3']],
    ['few features', { ids: [items] }, ['1 columns of ids', 'expected 2']],
    ['few rows', { rows: 2 }, ['up to row 3', 'over 2 rows']],
    ['few domains', { domainOffsets: Int32Array.of(0, 3) }, ['1 domains', 'expected 2']],
    ['many domains', { domainOffsets: Int32Array.of(0, 1, 2, 3) }, ['3 domains', 'expected 2']],
    ['descending offsets', { domainOffsets: Int32Array.of(0, 4, 3) }, ["domain 'toys' has -1"]],
    ['rows before the first', { domainOffsets: Int32Array.of(-1, 1, 3) }, ["domain 'books'"]],
    ['rows of no domain', { domainOffsets: Int32Array.of(1, 2, 3) }, ["domain 'books'"]],
  ])('must not come with %s', async (_, validation, told) => {
    await expectError(() => of(validation), DataError, ['validation: ', ...told]);
  });

  it('must have training rows in every domain', async () => {
    const train = { ...good, domainOffsets: Int32Array.of(0, 3, 3) };
    await expectError(() => Dataset.of(schema, names, [train, good, good]), DataError, [
      "train: domain 'toys' has no rows",
    ]);
  });

  it.each([
    ['too few features', [['u1', 'u2']]],
    ['too few values', [['u1'], ['i1', 'i2', 'i3']]],
    ['too many values', [['u1', 'u2', 'u3'], names[1] ?? []]],
  ])('must have a vocabulary that fits, not one of %s', async (_, values) => {
    await expectError(() => of({}, values), DataError, ['expected']);
  });
});

describe('a folder of a dataset', () => {
  const saved = async (): Promise<string> => {
    await Dataset.from(columns, roles).save(path('saved'));
    return path('saved');
  };
  const isNone = (folder: string, ...told: readonly string[]) =>
    expectError(() => Dataset.open(folder), DataError, [
      `'${folder}'`,
      'expected a folder that Dataset.save wrote',
      ...told,
    ]);
  type Json = Record<string, unknown>;
  const changeSchema = async (folder: string, change: (content: Json) => unknown) => {
    const file = join(folder, 'schema.json');
    const content = JSON.parse(await readFile(file, 'utf8')) as Json;
    await writeFile(file, JSON.stringify(change(content)));
  };

  it('must exist and have a schema', async () => {
    await isNone(path('nowhere'), 'schema.json');
    await mkdir(path('empty'));
    await isNone(path('empty'), 'schema.json');
  });

  it.each([0.999, 0.9, 0.5])('must not have tensors cut to %d of their size', async (share) => {
    const folder = await saved();
    const tensors = join(folder, 'dataset.safetensors');
    await truncate(tensors, Math.floor(share * (await stat(tensors)).size));
    await isNone(folder, tensors);
  });

  it('must have tensors', async () => {
    const folder = await saved();
    await truncate(join(folder, 'dataset.safetensors'), 0);
    await isNone(folder, 'dataset.safetensors', 'no header');
  });

  it.each([0, 20, 200])('must not have a schema cut to %d bytes', async (size) => {
    const folder = await saved();
    await truncate(join(folder, 'schema.json'), size);
    await isNone(folder, 'JSON');
  });

  it('must be of this format and version', async () => {
    const folder = await saved();
    await changeSchema(folder, (content) => ({ ...content, version: 2 }));
    await isNone(folder, "version 2; expected 'polydomain-dataset' version 1");
    await changeSchema(folder, (content) => ({ ...content, version: 1, format: 'other' }));
    await isNone(folder, "format 'other' version 1; expected 'polydomain-dataset'");
    await writeFile(join(folder, 'schema.json'), '{"openapi": "3.1.0"}');
    await isNone(folder, "expected 'polydomain-dataset' version 1");
  });

  it('must have a schema in its schema.json', async () => {
    const folder = await saved();
    await changeSchema(folder, ({ schema: _, ...rest }) => rest);
    await isNone(folder);
  });

  it('must have its vocabularies, whole', async () => {
    const folder = await saved();
    const file = join(folder, 'vocabulary.jsonl');
    await truncate(file, (await stat(file)).size - 1);
    await isNone(folder, file, 'ends early');
    await rm(file);
    await isNone(folder, file, 'no such file');
    await changeSchema(folder, (content) => ({ ...content, vocabularies: 'none' }));
    await isNone(folder, 'vocabularies are missing');
  });

  it('must have the tensors of its schema, and they must fit', async () => {
    const folder = await saved();
    await Dataset.from(columns, { ...roles, features: ['user'] }).save(path('other'));
    const other = join(path('other'), 'dataset.safetensors');
    await writeFile(join(folder, 'dataset.safetensors'), await readFile(other));
    await isNone(folder, "tensor 'train.ids.1' is missing");
    await saved();
    await changeSchema(folder, (content) => {
      const schema = content.schema as Schema;
      const features = schema.features.map((feature) => ({ ...feature, size: 1 }));
      return { ...content, schema: { ...schema, features }, vocabularies: [[], []] };
    });
    await expectError(() => Dataset.open(folder), DataError, [
      "train: 'user', row 0: id 1; expected 0 to 0",
    ]);
  });
});

describe('a row to score', () => {
  const data = toyData();
  const predictor = new Predictor(toyModel(data), data.vocabulary);
  const scorer = predictor.forDomain('d1');
  const bad = (value: unknown) => ({ user: 'v1', item: value }) as unknown as Row;
  const good = { user: 'v3', item: 'v7' };

  it.each([
    [Number.NaN, 'NaN'],
    [null, 'null'],
    [undefined, 'missing'],
  ])('must not have %s in place of a value', async (value, shown) => {
    const told = (row: number, expected: string) => [
      `row ${row}: 'item' is ${shown}; expected a value for each of ${expected}`,
    ];
    await expectError(() => scorer.predict([good, bad(value)]), DataError, told(1, 'user, item'));
    await expectError(() => scorer.predictSync(bad(value)), DataError, told(0, 'user, item'));
    const rows = [{ domain: 'd0', ...good }, { domain: 'd1', ...bad(value) } as Row];
    await expectError(() => predictor.predict(rows), DataError, told(1, 'domain, user, item'));
    const noDomain = [{ ...good, domain: value }] as unknown as Row[];
    await expectError(() => predictor.predict(noDomain), DataError, [
      `row 0: 'domain' is ${shown}`,
    ]);
  });

  it('must have all columns', async () => {
    const user = ['v1', 'v2'];
    const told = ["column 'item' is missing; expected user, item"];
    await expectError(() => scorer.predict({ user }), DataError, told);
    await expectError(() => predictor.predict({ user, item: user }), DataError, [
      "column 'domain' is missing; expected domain, user, item",
    ]);
    await expectError(() => scorer.predict([{ user: 'v1' }]), DataError, ["'item' is missing"]);
  });

  it.each([1, 3])('must not come in columns of 2 and of %d values', async (length) => {
    const item = new Array<string>(length).fill('v1');
    const user = ['v1', 'v2'];
    const told = [`column 'item' has ${length} rows; expected 2`];
    await expectError(() => scorer.predict({ user, item }), DataError, told);
    const mixed = { domain: ['d0', 'd1'], user, item };
    await expectError(() => predictor.predict(mixed), DataError, told);
  });

  it('must be of a domain that training has seen, unless shared parameters may do', async () => {
    const told = ["domain 'd9'; did you mean 'd0'?", 'd0, d1, d2'];
    await expectError(() => predictor.forDomain('d9'), DataError, told);
    const rows = [
      { domain: 'd9', ...good },
      { domain: 'd1', ...good },
    ];
    await expectError(() => predictor.predict(rows), DataError, told);
    const shared = { unknownDomain: 'shared' } as const;
    expect([...(await predictor.predict(rows, shared))]).toEqual([
      predictor.forDomain('anything', shared).predictSync(good),
      scorer.predictSync(good),
    ]);
  });

  it('has the score of an unknown value where training has not seen one', async () => {
    const [one, other, known] = await scorer.predict([
      { user: 'v3', item: 'nobody knows it' },
      { user: 'v3', item: 12345 },
      good,
    ]);
    expect(other).toBe(one);
    expect(known).not.toBe(one);
  });

  it('is scored the same in rows and in columns, alone and among other domains', async () => {
    const rows = [
      { domain: 'd2', user: 'v5', item: 'v6' },
      { domain: 'd0', ...good },
      { domain: 'd2', ...good },
    ];
    const columns = {
      domain: rows.map((row) => row.domain),
      user: rows.map((row) => row.user),
      item: rows.map((row) => row.item),
    };
    const expected = rows.map((row) => predictor.forDomain(row.domain).predictSync(row));
    expect([...(await predictor.predict(rows))]).toEqual(expected);
    expect([...(await predictor.predict(columns))]).toEqual(expected);
    expect([...(await predictor.predict([]))]).toEqual([]);
    expect([...(await scorer.predict([]))]).toEqual([]);
  });
});

describe('what JavaScript lets through', () => {
  const from = (more: object, own: object = {}) =>
    Dataset.from({ ...columns, ...more } as never, { ...roles, ...own });
  const cases: Record<string, [attempt: () => unknown, ErrorClass, texts: readonly string[]]> = {
    'no columns': [
      () => Dataset.from(null as never, roles),
      DataError,
      ['columns: null; expected an'],
    ],
    'rows for columns': [
      () => Dataset.from([{ user: 1 }] as never, roles),
      DataError,
      ['columns: [{"user":1}]; expected an object of arrays'],
    ],
    'a column of nothing': [
      () => from({ user: null }),
      DataError,
      ["column 'user': null; expected"],
    ],
    'a column of one value': [
      () => from({ user: 7 }),
      DataError,
      ["column 'user': 7; expected an arr"],
    ],
    'a text for a column': [
      () => from({ user: 'abcd' }),
      DataError,
      [`column 'user': "abcd"; exp`],
    ],
    'an object for a value': [
      () => from({ user: [1, {}, 1, 3] }),
      DataError,
      ["column 'user', row 2: {}; expected text, a number or a boolean"],
    ],
    'a symbol for a domain': [
      () => from({ shop: ['toys', Symbol('x'), 'books', 'books'] }),
      DataError,
      ["column 'shop', row 2: Symbol(x); expected text"],
    ],
    'a label that the model would see': [
      () => from({}, { features: ['user', 'clicked'] }),
      ConfigError,
      ["data.features: 'clicked' is the label"],
    ],
    'no schema': [
      () => Dataset.of(undefined as never, [], [] as never),
      ConfigError,
      ['schema: mis'],
    ],
    'a feature without ids': [
      () => Dataset.of(schemaWith({ size: 0 }), [[]], parts()),
      ConfigError,
      ['schema.features.0.size: 0'],
    ],
    'two of three parts': [
      () => Dataset.of(schemaWith({}), [[]], parts().slice(1) as never),
      ConfigError,
      ['splits: '],
    ],
    'a part without ids': [
      () => Dataset.of(schemaWith({}), [[]], parts({ ids: undefined })),
      DataError,
      ['train: ids; expected Int32Arrays'],
    ],
    'a raw value of two ids': [
      () => Dataset.of(schemaWith({}), [['a', 'a']], parts()),
      DataError,
      ["vocabularies: 'a' stands for two ids; expected each value once"],
    ],
  };
  const schemaWith = (more: object): Schema => ({
    label: 'label',
    domain: 'domain',
    features: [{ name: 'item', kind: 'categorical', size: 3, ...more }],
    domains: ['a'],
  });
  const parts = (more: object = {}): [Split, Split, Split] => {
    const part = {
      rows: 2,
      ids: [Int32Array.of(1, 2)],
      labels: Float32Array.of(0, 1),
      domainOffsets: Int32Array.of(0, 2),
    };
    return [{ ...part, ...more } as Split, part, part];
  };

  it.each(Object.entries(cases))('is told: %s', async (_, [attempt, type, texts]) => {
    await expectError(attempt, type, texts);
  });
});
