import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  Dataset,
  type FitEvent,
  type FitOptions,
  fit,
  load,
  models,
  optim,
  type Roles,
  strategies,
} from '../../ts/index.js';
import { temporaryFolder } from '../folder.js';
import { dataOf, trainingOptions as options, makers as plain } from '../purchases.js';
import { bitsOf } from '../toy.js';

const inFolder = temporaryFolder();

const makers = {
  ...plain,
  // Running averages of all domains, and of each domain's own.
  'mlp with batch norm': (data: Dataset, seed = 1) =>
    models.mlp({ schema: data.schema, embeddingDim: 4, hidden: [8], batchNorm: true, seed }),
  'shared-bottom with batch norm': (data: Dataset, seed = 1) =>
    models.sharedBottom({
      schema: data.schema,
      embeddingDim: 4,
      hidden: [6],
      tower: [4],
      batchNorm: true,
      seed,
    }),
  star: (data: Dataset, seed = 1) =>
    models.star({ schema: data.schema, embeddingDim: 4, hidden: [8, 6], seed }),
};

const old = ['b', 'aa', 'cccc'];
const grown = ['aa', 'zzz', 'cccc', 'b'];
const rows = Array.from({ length: 17 }, (_, item) => ({ user: (item * 3) % 23, item }));

describe.each(Object.entries(makers))('a warm start of %s', (_, make) => {
  const trainedOnce = async () => {
    const data = dataOf(old);
    const run = await fit(make(data), data, options);
    await run.save(inFolder('old'));
    return run;
  };

  it.each(['folder', 'result', 'loaded'])(
    'adds a domain and leaves the scores of the others alone: from a %s',
    async (kind) => {
      const first = await trainedOnce();
      const path = inFolder('old');
      const from = kind === 'folder' ? path : kind === 'result' ? first : await load(path);
      const data = dataOf(grown);
      const run = await fit(make(data, 9), data, {
        ...options,
        from,
        strategy: strategies.separate({ domains: ['zzz'], combine: 'plus' }),
        optimizer: optim.sgd({ learningRate: 0.1 }),
        epochs: 5,
      });
      await run.save(inFolder('new'));
      const loaded = await load(inFolder('new'));
      for (const domain of old) {
        const scores = await first.forDomain(domain).predict(rows);
        expect(await run.forDomain(domain).predict(rows)).toEqual(scores);
        expect(await loaded.forDomain(domain).predict(rows)).toEqual(scores);
      }
      const { space } = run.model.compile();
      const trained = data.schema.domains.indexOf('zzz');
      expect(space.overlay(trained, 'bias').units.length).toBe(1);
      expect(await loaded.forDomain('zzz').predict(rows)).toEqual(
        await run.forDomain('zzz').predict(rows),
      );
    },
  );

  it('finds rows by raw value and gives new ones their fresh start', async () => {
    const first = await trainedOnce();
    const data = dataOf(grown, 12);
    const fresh = make(data, 9).parameters();
    const model = make(data, 9);
    await fit(model, data, {
      ...options,
      from: first,
      strategy: strategies.separate({ domains: ['zzz'] }),
      epochs: 1,
    });
    const table = model.parameters().get('embedding.user.weight')?.data;
    const start = fresh.get('embedding.user.weight')?.data as Float32Array;
    const known = first.model.parameters().get('embedding.user.weight')?.data as Float32Array;
    let [found, added] = [0, 0];
    (data.vocabulary.values[0] as string[]).forEach((value, i) => {
      const id = first.vocabulary.encode(0, value);
      const row = (values: Float32Array, at: number) => [...values.subarray(4 * at, 4 * at + 4)];
      const expected = id > 0 ? row(known, id) : row(start, i + 1);
      if (id > 0) found++;
      else added++;
      expect(row(table as Float32Array, i + 1)).toEqual(expected);
    });
    expect([found, added]).toEqual([11, 12]);
  });
});

describe('a warm start', () => {
  it('trains on from there, and a resumed one does not read it again', async () => {
    const data = dataOf(old);
    const first = await fit(makers.mlp(data), data, options);
    const path = inFolder('old');
    await first.save(path);
    const outcome = async (more: Partial<FitOptions>) => {
      const again = makers.mlp(data, 5);
      const { metrics } = await fit(again, data, { ...options, ...more });
      return { bits: bitsOf(again), metrics };
    };
    const whole = await outcome({ from: path });
    expect(whole.bits).not.toBe((await outcome({})).bits);
    const runFolder = inFolder('run');
    const controller = new AbortController();
    let events = 0;
    await expect(
      outcome({
        from: path,
        runFolder,
        signal: controller.signal,
        onEvent: ({ kind }) => {
          if (kind === 'progress' && ++events === 2) controller.abort(new Error('stopped'));
        },
      }),
    ).rejects.toThrow('stopped');
    await rm(path, { recursive: true });
    expect(await outcome({ from: path, runFolder, resume: true })).toEqual(whole);
  });

  it('warns when own values are left behind', async () => {
    const data = dataOf(old);
    const first = await fit(makers.mlp(data), data, options);
    const warnings: FitEvent[] = [];
    const onEvent = (event: FitEvent): void => {
      if (event.kind === 'warning') warnings.push(event);
    };
    await fit(makers.mlp(data), data, { ...options, from: first, onEvent });
    expect(warnings).toEqual([]);
    const strategy = strategies.alternate();
    await fit(makers.mlp(data), data, { ...options, strategy, from: first, onEvent });
    expect(warnings).toHaveLength(1);
    expect(JSON.stringify(warnings)).toContain('left behind');
  });

  it('finds the rows of a table by a feature that has joined it', async () => {
    const of = (more: Roles['features']) =>
      Dataset.from(
        {
          shop: ['a', 'a', 'a', 'a'],
          part: ['train', 'train', 'validation', 'test'],
          item: ['x', 'y', 'x', 'y'],
          seen: [['z', 'y'], ['x'], [], ['y']],
          bought: [0, 1, 0, 1],
        },
        {
          domain: 'shop',
          label: 'bought',
          split: { column: 'part' },
          features: ['item', ...more],
        },
      );
    const [before, now] = [
      of([]),
      of([{ name: 'seen', kind: 'multi-valued', table: 'item' }]),
    ] as const;
    const make = ({ schema }: Dataset, seed: number) =>
      models.nfm({ schema, embeddingDim: 2, hidden: [3], seed });
    const first = await fit(make(before, 1), before, {
      ...options,
      strategy: strategies.alternate(),
    });
    const strategy = { ...strategies.alternate(), *epoch() {} };
    const next = await fit(make(now, 2), now, { ...options, strategy, from: first });
    const rowOf = ({ model, vocabulary }: typeof first, value: string) => {
      const table = model.parameters().get('embedding.item.weight')?.data as Float32Array;
      const id = vocabulary.encode(0, value);
      return table.slice(2 * id, 2 * id + 2);
    };
    expect(next.vocabulary.encode(0, 'z')).toBeGreaterThan(0);
    for (const value of ['x', 'y']) expect(rowOf(next, value)).toEqual(rowOf(first, value));
  });

  it('warns of numbers that are standardised otherwise', async () => {
    const of = (factor: number) =>
      Dataset.from(
        {
          shop: ['a', 'a', 'a', 'a'],
          part: ['train', 'train', 'validation', 'test'],
          price: [1, 2, 3, 4].map((price) => factor * price),
          size: [1, 2, 3, 4],
          bought: [0, 1, 0, 1],
        },
        {
          domain: 'shop',
          label: 'bought',
          split: { column: 'part' },
          features: ['price', 'size'].map((name) => ({ name, kind: 'numeric' as const })),
        },
      );
    const plain = { ...options, strategy: strategies.alternate() };
    const first = await fit(makers.mlp(of(1)), of(1), plain);
    const warnings: string[] = [];
    const onEvent = (event: FitEvent): void => {
      if (event.kind === 'warning') warnings.push(event.message);
    };
    await fit(makers.mlp(of(1)), of(1), { ...plain, from: first, onEvent });
    expect(warnings).toEqual([]);
    await fit(makers.mlp(of(2)), of(2), { ...plain, from: first, onEvent });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("fit.from: 'price' has another mean or deviation");
  });

  it('names the first parameter that does not fit, and changes nothing', async () => {
    const data = dataOf(old);
    const first = await fit(makers.mlp(data), data, options);
    const narrow = models.mlp({ schema: data.schema, embeddingDim: 4, hidden: [6], seed: 2 });
    const start = bitsOf(narrow);
    const refused = fit(narrow, data, { ...options, from: first });
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(fit(narrow, data, { ...options, from: first })).rejects.toThrow(
      /fit\.from: parameter 'hidden\.0\.weight' has 96 values; expected shape \[6,12\]/,
    );
    expect(bitsOf(narrow)).toBe(start);
    await expect(fit(makers.mmoe(data), data, { ...options, from: first })).rejects.toThrow(
      /fit\.from: parameter 'hidden\.0\.weight' is none of the model's/,
    );
    await expect(fit(narrow, data, { ...options, from: 7 as never })).rejects.toThrow(
      /fit\.from: 7; expected a run folder/,
    );
  });
});
