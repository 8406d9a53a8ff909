import { rm, writeFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  type Batch,
  BusyError,
  ConfigError,
  DataError,
  Dataset,
  fit,
  load,
  Module,
  models,
  optim,
  strategies,
  type Tensor,
} from '../../ts/index.js';
import { type Stored, writeTensors } from '../../ts/io/safetensors.js';
import { modelConfig, modelMakers, modelOf } from '../../ts/models/registry.js';
import { temporaryFolder } from '../folder.js';
import { kindsData } from '../kinds.js';
import { toyData } from '../toy.js';
import { everyStrategy } from '../train/every-strategy.js';

const path = temporaryFolder();
const data = toyData([90, 60, 30]);
const { schema, vocabulary } = data;
const dim = 4;
const shape = { embeddingDim: dim, hidden: [8, 4], seed: 3 };
const options = {
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 2,
  seed: 4,
};

/** A vector of its own for every number. */
const vectorOf = (n: number): Float32Array =>
  Float32Array.from({ length: dim }, (_, i) => (n + 1) / 8 - i / 3);

/** Writes JSON, and returns where. */
async function json(name: string, content: unknown): Promise<string> {
  await writeFile(path(name), JSON.stringify(content));
  return path(name);
}

/** The same for a table of safetensors, with another tensor beside it if `tensor` is its name. */
async function tensors(name: string, rows: readonly ArrayLike<number>[], tensor?: string) {
  const data = Float32Array.from(rows.flatMap((row) => Array.from(row)));
  const table: Stored = { data, shape: [rows.length, data.length / rows.length] };
  const other = tensor ? [['other', Float32Array.of(1)] as const] : [];
  await writeTensors(
    path(name),
    new Map<string, Stored | Float32Array>([...other, [tensor ?? 'table', table]]),
  );
  return path(name);
}

type Pretrained = NonNullable<models.MlpOptions['pretrained']>;
const mlp = (pretrained?: Pretrained) =>
  models.mlp({ schema, vocabulary, ...shape, ...(pretrained && { pretrained }) });

/** Rows of a model's table. */
function rowsOf(model: { parameters(): Map<string, Tensor<'float32'>> }, table: string) {
  const { data, shape } = model.parameters().get(`embedding.${table}.weight`) as Tensor<'float32'>;
  const width = shape[1] as number;
  return Array.from({ length: data.length / width }, (_, row) =>
    data.slice(row * width, (row + 1) * width),
  );
}

/** Vectors of users v1 to v10, and of one that training has not seen. */
const known = [...Array(10).keys()].map((n) => `v${n + 1}`);
const some = Object.fromEntries([...known, 'new'].map((value, n) => [value, [...vectorOf(n)]]));
const fresh = rowsOf(mlp(), 'user');
const expected = fresh.map((row, id) => (id >= 1 && id <= 10 ? vectorOf(id - 1) : row));

describe('a table starts from', () => {
  it('vectors by raw value in JSON, as arrays or as text', async () => {
    const arrays = await json('arrays.json', some);
    expect(rowsOf(mlp({ user: { source: arrays } }), 'user')).toEqual(expected);
    const texts = Object.entries(some).map(([value, vector]) => [value, ` ${vector.join('  ')}`]);
    const text = await json('text.json', Object.fromEntries(texts));
    const model = mlp({ user: { source: text } });
    expect(rowsOf(model, 'user')).toEqual(expected);
    expect(rowsOf(model, 'item')).toEqual(rowsOf(mlp(), 'item'));
  });

  it("vectors by number in JSON, with MAMDR's numbers of raw values", async () => {
    const numbers = [...known, 'new'].map((value, n) => [n, some[value]?.join(' ')]);
    const source = await json('numbers.json', Object.fromEntries(numbers));
    const raw = Object.fromEntries([...known, 'new'].map((value, n) => [value, n]));
    const values = await json('uid2id.json', { id: 11, raw_id2id: raw });
    expect(rowsOf(mlp({ user: { source, values } }), 'user')).toEqual(expected);
  });

  it('rows of safetensors, with their raw values', async () => {
    const rows = [...known, 'new'].map((_, n) => vectorOf(n)).reverse();
    const values = await json('values.json', [...known, 'new'].reverse());
    const source = await tensors('some.safetensors', rows);
    expect(rowsOf(mlp({ user: { source, values } }), 'user')).toEqual(expected);
    const several = await tensors('several.safetensors', rows, 'users');
    const user = { source: several, values, tensor: 'users' };
    expect(rowsOf(mlp({ user }), 'user')).toEqual(expected);
  });

  it('rows of safetensors by id, without a vocabulary', async () => {
    const rows = fresh.map((_, id) => vectorOf(id));
    const source = await tensors('ids.safetensors', rows);
    const model = models.mlp({ schema, ...shape, pretrained: { user: { source } } });
    expect(rowsOf(model, 'user')).toEqual(rows);
  });

  it('what is given for one of the features that share it, or for lists', async () => {
    const kinds = kindsData();
    const embedded = kinds.schema.features.filter(({ kind }) => kind === 'multi-valued');
    const list = embedded.find(
      (feature) => kinds.vocabulary.valuesOf(kinds.schema.features.indexOf(feature)).length > 0,
    );
    const name = list?.name as string;
    const [value = ''] = kinds.vocabulary.valuesOf(
      kinds.schema.features.findIndex((one) => one.name === name),
    );
    const source = await json('list.json', { [value]: [1, 2, 3, 4] });
    const model = models.mlp({
      schema: kinds.schema,
      vocabulary: kinds.vocabulary,
      ...shape,
      pretrained: { [name]: { source } },
    });
    const table = (list && 'table' in list && list.table) || name;
    expect(rowsOf(model, table)[1]).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  it('a file also where the model is part of one of your own', async () => {
    class Own extends Module<[Batch], Tensor> {
      readonly inner: models.Mlp;

      constructor(source: string) {
        super();
        this.inner = mlp({ user: { source, trainable: false } });
      }

      forward(batch: Batch): Tensor {
        return this.inner.forward(batch);
      }
    }
    const own = new Own(await json('own.json', some));
    const { model } = await fit(own, data, { ...options, strategy: strategies.alternate() });
    const table = model.parameters().get('inner.embedding.user.weight')?.data ?? [];
    // The rows of v1 to v10: the others start by the parameter's name.
    expect([...table.slice(dim, 11 * dim)]).toEqual(
      expected.slice(1, 11).flatMap((row) => [...row]),
    );
  });
});

describe('what is not trainable stays as it is, bit by bit', () => {
  it.each(Object.entries(everyStrategy))('with %s', async (name, [strategy, extra]) => {
    const source = await json(`${name}.json`, some);
    const model = mlp({ user: { source, trainable: false } });
    const before = rowsOf(model, 'item');
    await fit(model, data, {
      ...options,
      optimizer: optim.sgd({ learningRate: 0.1, momentum: 0.9 }),
      ...extra,
      strategy: strategy(),
    });
    expect(rowsOf(model, 'user')).toEqual(expected);
    for (const [d] of schema.domains.entries()) {
      expect(model.compile().space.overlay(d, 'embedding.user.weight').units.length).toBe(0);
    }
    const shared = !['separate', 'mamdr of the tables only', 'dn of the layers alone'].some((own) =>
      name.startsWith(own),
    );
    if (shared) expect(rowsOf(model, 'item')).not.toEqual(before);
  });

  it.each(Object.keys(modelMakers))('in %s', async (name) => {
    const source = await json(`${name}.json`, some);
    const dropout = name !== 'star' && { dropout: 0.1 };
    const pretrained = { user: { source, trainable: false } };
    const config = modelConfig.parse({
      name,
      embeddingDim: dim,
      hidden: [8],
      l2: 0.1,
      pretrained,
      ...dropout,
    });
    const model = modelOf(config, { schema, vocabulary, seed: 3 });
    const before = rowsOf(model, 'user');
    expect(before.slice(1, 11)).toEqual(expected.slice(1, 11));
    await fit(model, data, { ...options, strategy: strategies.mamdr({ helpers: 1 }) });
    expect(rowsOf(model, 'user')).toEqual(before);
  });

  it('and the first step of all else is the same as where it is trained', async () => {
    const one = toyData([40]);
    const source = await json('step.json', some);
    const [trained, frozen] = (await Promise.all(
      [true, false].map(async (trainable) => {
        const pretrained = { user: { source, trainable } };
        const model = models.mlp({
          schema: one.schema,
          vocabulary: one.vocabulary,
          ...shape,
          pretrained,
        });
        await fit(model, one, {
          ...options,
          optimizer: optim.sgd({ learningRate: 1 }),
          batchSize: 64,
          epochs: 1,
          strategy: strategies.alternate(),
        });
        return model;
      }),
    )) as [models.Mlp, models.Mlp];
    for (const [name, { data: own }] of frozen.parameters()) {
      const other = trained.parameters().get(name)?.data;
      if (name === 'embedding.user.weight') expect(own).not.toEqual(other);
      else expect(own, name).toEqual(other);
    }
  });
});

it('a run folder is loaded and trained on without the file', async () => {
  const source = await json('gone.json', some);
  const model = mlp({ user: { source, trainable: false } });
  const strategy = strategies.mamdr({ helpers: 1 });
  const run = await fit(model, data, { ...options, strategy });
  await run.save(path('run'));
  await rm(source);
  const loaded = await load(path('run'));
  const rows = [1, 2, 25].map((n) => ({ domain: 'd1', user: `v${n}`, item: `v${n + 1}` }));
  expect(await loaded.predict(rows)).toEqual(await run.predict(rows));
  await fit(loaded.model, data, { ...options, strategy });
  expect(rowsOf(loaded.model, 'user')).toEqual(expected);
  expect(rowsOf(loaded.model, 'item')).not.toEqual(rowsOf(model, 'item'));
});

it('fit reads a file in pieces between which others have their turn, and the model to itself', async () => {
  // More values than a piece has.
  const size = 70_000;
  const rows = { rows: 4, ids: [Int32Array.of(1, 2, 3, size - 1)] };
  const part = { ...rows, labels: Float32Array.of(0, 1, 0, 1), domainOffsets: Int32Array.of(0, 4) };
  const features = [{ name: 'user', kind: 'categorical', size }] as const;
  const large = Dataset.of(
    { label: 'label', domain: 'domain', features, domains: ['only'] },
    [[]],
    [part, part, part],
  );
  const vectors = Array.from({ length: size }, (_, id) => vectorOf(id % 1000));
  const source = await tensors('large.safetensors', vectors);
  const user = { source, trainable: false };
  const model = models.mlp({ schema: large.schema, ...shape, pretrained: { user } });
  let ended = false;
  const running = fit(model, large, { ...options, strategy: strategies.alternate() });
  const end = running.finally(() => {
    ended = true;
  });
  const refusals: unknown[] = [];
  for (;;) {
    await setImmediate();
    if (ended) break;
    try {
      model.parameters();
    } catch (error) {
      refusals.push(error);
    }
  }
  await end;
  for (const error of refusals) expect(error).toBeInstanceOf(BusyError);
  const meanwhile = refusals.filter((error) => /being made ready/.test(String(error)));
  expect(meanwhile.length).toBeGreaterThan(1);
  expect(rowsOf(model, 'user')).toEqual(vectors);
});

it('the model is made again once its file is right', async () => {
  const source = await json('late.json', { v1: [1, 2] });
  const model = mlp({ user: { source } });
  expect(() => model.parameters()).toThrow(DataError);
  await json('late.json', some);
  expect(rowsOf(model, 'user')).toEqual(expected);
});

describe('refuses', () => {
  const refused = async (
    pretrained: Pretrained,
    error: typeof DataError | typeof ConfigError,
    message: RegExp,
  ) => {
    const attempt = () => mlp(pretrained).parameters();
    expect(attempt).toThrow(error);
    expect(attempt).toThrow(message);
  };

  it.each([
    ['size', { v1: [1, 2, 3] }, /pretrained\.user: .*vector 'v1' has 3 values; expected 4 finite/],
    ['nan', { v1: '1 2 nan 4' }, /vector 'v1' has the value NaN; expected 4 finite/],
    ['range', { v1: '1 2 3 1e39' }, /vector 'v1' has the value 1e\+39; expected 4 finite/],
    ['null', { v1: [1, 2, null, 4] }, /vector 'v1' has the value NaN; expected 4 finite/],
    ['kind', { v1: 7 }, /'v1' is 7; expected an array of numbers, or text/],
    ['array', [[1, 2, 3, 4]], /holds no object; expected vectors by raw value/],
    ['stranger', { u1: [1, 2, 3, 4] }, /none of 1 vectors .* training has seen/],
  ])('vectors that do not fit: %s', async (name, content, message) => {
    await refused(
      { user: { source: await json(`bad ${name}.json`, content) } },
      DataError,
      message,
    );
  });

  it('files that are missing or foreign', async () => {
    await refused(
      { user: { source: path('none.json') } },
      DataError,
      /user: '.*none\.json' cannot be read/,
    );
    await refused(
      { user: { source: path('none.safetensors') } },
      DataError,
      /user: '.*' cannot be read/,
    );
    await writeFile(path('text.safetensors'), '{"no": "header"}');
    await refused(
      { user: { source: path('text.safetensors') } },
      DataError,
      /user: .* expected a safetensors file/,
    );
    await writeFile(path('broken.json'), '{');
    await refused({ user: { source: path('broken.json') } }, DataError, /cannot be read as JSON/);
  });

  it('rows of safetensors that do not fit', async () => {
    const rows = known.map((_, n) => vectorOf(n));
    const source = await tensors('rows.safetensors', rows);
    await refused({ user: { source } }, DataError, /has 10 rows; expected 40, one per id/);
    const short = await json('short.json', known.slice(1));
    await refused(
      { user: { source, values: short } },
      DataError,
      /has 9 values; expected 10, one per row/,
    );
    const twice = await json(
      'twice.json',
      known.map(() => 'v1'),
    );
    await refused({ user: { source, values: twice } }, DataError, /value 'v1' has two vectors/);
    const object = await json('object.json', { v1: 0 });
    await refused(
      { user: { source, values: object } },
      DataError,
      /neither an array nor raw_id2id/,
    );
    await refused(
      { user: { source, tensor: 'tabel' } },
      DataError,
      /no tensor 'tabel'; did you mean 'table'/,
    );
    const several = await tensors('two.safetensors', rows, 'users');
    await refused(
      { user: { source: several } },
      DataError,
      /holds 2 tensors; expected the name of one of other, users/,
    );
    await refused(
      { user: { source: several, tensor: 'other' } },
      DataError,
      /F32 of shape \[1\]; expected F32 of shape \[rows, dim\]/,
    );
    const values = await json('three.json', ['v1', 'v2', 'v3']);
    const number = await json('number.json', { 3: [1, 2, 3, 4] });
    await refused(
      { user: { source: number, values } },
      DataError,
      /has '3'; expected numbers below 3/,
    );
  });

  it('options that do not fit', async () => {
    const source = await json('good.json', some);
    await refused(
      { usr: { source } },
      ConfigError,
      /pretrained\.usr: no embedded feature; did you mean 'user'/,
    );
    await refused(
      { user: { source, tensor: 'a' } },
      ConfigError,
      /user\.tensor: 'a'; expected none with a JSON source/,
    );
    const pretrained = { user: { source } };
    expect(() => models.mlp({ schema, ...shape, pretrained })).toThrow(
      /no vocabulary to match .* vocabulary: data\.vocabulary/,
    );
    const other = toyData([50, 40]).vocabulary;
    expect(() => models.mlp({ schema, vocabulary: other, ...shape, pretrained })).toThrow(
      /another schema/,
    );
    expect(() => mlp({ user: { source: 1 } } as never)).toThrow(
      /mlp\.pretrained\.user\.source: 1; expected string/,
    );
  });

  it('raw values for hashed ids, numbers, and one table twice', async () => {
    const kinds = kindsData();
    const source = await json('kinds.json', some);
    const make = (names: readonly string[]) => () =>
      models.mlp({
        schema: kinds.schema,
        vocabulary: kinds.vocabulary,
        ...shape,
        pretrained: Object.fromEntries(names.map((name) => [name, { source }])),
      });
    const { features } = kinds.schema;
    const hashed = features.find((one) => 'hashed' in one && one.hashed)?.name as string;
    expect(make([hashed])).toThrow(
      /has hashed ids; expected a safetensors file of a row per bucket/,
    );
    const numeric = features.find(({ kind }) => kind === 'numeric')?.name as string;
    expect(make([numeric])).toThrow(/no embedded feature/);
    const sharing = features.find(
      (one) =>
        'table' in one &&
        one.table !== undefined &&
        features.some(({ name }) => name === one.table),
    );
    const { name, table } = sharing as { name: string; table: string };
    expect(make([table, name])).toThrow(/is given twice; expected once/);
  });
});
