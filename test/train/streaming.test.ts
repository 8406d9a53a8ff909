import { appendFile, mkdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { splitNames } from '../../ts/data/types.js';
import { Vocabulary } from '../../ts/data/vocabulary.js';
import {
  type Batch,
  CheckpointError,
  ConfigError,
  DataError,
  Dataset,
  evaluate,
  type FitOptions,
  fit,
  gradientCosines,
  Model,
  models,
  nn,
  optim,
  strategies,
  type Tensor,
} from '../../ts/index.js';
import { writeTensors } from '../../ts/io/safetensors.js';
import { scoresOf } from '../../ts/train/evaluate.js';
import { errorOf } from '../error-of.js';
import { temporaryFolder } from '../folder.js';
import { kindsData } from '../kinds.js';
import { bitsOf, toyData, toyModel } from '../toy.js';
import { everyStrategy } from './every-strategy.js';

const path = temporaryFolder();
const settings = {
  strategy: strategies.alternate(),
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 16,
  epochs: 2,
  seed: 5,
};

/** The same rows twice: in memory, and on disk with windows for `dataBudget` bytes. */
async function both(data: Dataset, dataBudget: number): Promise<readonly [Dataset, Dataset]> {
  await data.save(path('data'));
  const streamed = await Dataset.open({ source: path('data'), dataBudget });
  expect(streamed.streamed).toBe(true);
  return [data, streamed];
}

async function outcomeOf(data: Dataset, options: Partial<FitOptions> = {}) {
  const model = toyModel(data);
  const { metrics, history } = await fit(model, data, { ...settings, ...options });
  return { bits: bitsOf(model), metrics, history };
}

/** In which batches hold rows of several domains, of whose rows a window has only some. */
const mixes = ['joint', 'weighted loss'];
/** As many rows of each domain in every batch: more than the window has when the largest has come to its end. */
const balances = [
  'joint, balanced',
  'd-train',
  'd-train as a plug-in',
  'd-train without post-training, of larger heads, then finetune',
];

describe('rows on disk', () => {
  // 32 bytes of budget for a row: the largest domain fits, and not all of them.
  const fitting = 32 * 700;

  it.each(
    Object.entries(everyStrategy).filter(([name]) => ![...mixes, ...balances].includes(name)),
  )('train as those in memory do where domains fit a window: %s', async (_, [strategy, extra]) => {
    const [memory, streamed] = await both(toyData([700, 400, 60]), fitting);
    const options = { ...extra, strategy: strategy(), epochs: extra.epochs ?? 2 };
    expect(await outcomeOf(streamed, options)).toEqual(await outcomeOf(memory, options));
  });

  it.each(['alternate', ...mixes, 'joint, balanced', 'd-train', 'mamdr', 'pcgrad', 'maml'])(
    'in many windows give the same bits with any threads and when it is resumed: %s',
    async (name) => {
      const [, streamed] = await both(toyData([2000, 900, 60]), 32 * 300);
      const [strategy, extra] = everyStrategy[name] as (typeof everyStrategy)[string];
      const options = { ...extra, strategy: strategy() };
      const whole = await outcomeOf(streamed, options);
      expect(await outcomeOf(streamed, { ...options, threads: 1 })).toEqual(whole);
      expect(await outcomeOf(streamed, { ...options, threads: 3 })).toEqual(whole);
      const reason = new Error('stopped by the test');
      for (let stops = 0; ; stops++) {
        const controller = new AbortController();
        let progress = 0;
        const result = await outcomeOf(streamed, {
          ...options,
          runFolder: path('run'),
          resume: stops > 0,
          signal: controller.signal,
          onEvent: ({ kind }) => {
            if (kind === 'progress' && ++progress === 1 + stops) controller.abort(reason);
          },
        }).catch((error: unknown) => error);
        if (result === reason) continue;
        expect(result).toEqual(whole);
        expect(stops).toBeGreaterThan(0);
        break;
      }
    },
  );

  it('resume with the windows that they were trained in', async () => {
    const [, streamed] = await both(toyData([2000, 900, 60]), 32 * 300);
    const controller = new AbortController();
    const reason = new Error('stopped by the test');
    const options = { runFolder: path('run'), signal: controller.signal };
    const onEvent = () => controller.abort(reason);
    expect(await errorOf(() => outcomeOf(streamed, { ...options, onEvent }))).toBe(reason);
    const other = await Dataset.open({ source: path('data'), dataBudget: 32 * 301 });
    expect(
      await errorOf(() => outcomeOf(other, { runFolder: path('run'), resume: true })),
    ).toBeInstanceOf(CheckpointError);
  });

  it('are learned from in many windows as well as in memory', async () => {
    const [memory, streamed] = await both(toyData([2000, 900, 60]), 32 * 300);
    // The mean of several seeds: one moves by 0.03.
    const aucOf = async (data: Dataset) => {
      let sum = 0;
      for (const seed of [1, 2, 3, 4, 5, 6]) {
        const model = toyModel(data, 0);
        const { metrics } = await fit(model, data, { ...settings, seed, epochs: 20, patience: 20 });
        sum += metrics.test.auc.mean as number;
      }
      return sum / 6;
    };
    const expected = await aucOf(memory);
    expect(expected).toBeGreaterThan(0.9);
    expect(await aucOf(streamed)).toBeGreaterThan(expected - 0.03);
  });

  it('score exactly as in memory, whatever the windows', async () => {
    const [memory] = await both(toyData([12_000, 9000, 60]), 0);
    const model = toyModel(memory);
    await fit(model, memory, settings);
    const expected = await evaluate(model, memory, 'train');
    const scores = await scoresOf(model, memory, 'train');
    for (const dataBudget of [0, 32 * 5000, 32 * 9000]) {
      const streamed = await Dataset.open({ source: path('data'), dataBudget });
      expect(await evaluate(model, streamed, 'train')).toEqual(expected);
      expect(await scoresOf(model, streamed, 'train')).toEqual(scores);
    }
  });

  it('score as scikit-learn does, the few scores of many rows in a file', async () => {
    const items = 1009;
    const rows = 30_000;
    const ids = Int32Array.from({ length: rows }, (_, row) => (row * 7919) % items);
    const part = {
      rows,
      ids: [ids],
      labels: Float32Array.from(ids, (item, row) =>
        Number((row * 104_729 + item * item) % 17 < 3 + (item % 100) / 10),
      ),
      domainOffsets: Int32Array.of(0, rows),
    };
    const features = [{ name: 'item', kind: 'categorical', size: items }] as const;
    const schema = { label: 'clicked', domain: 'shop', features, domains: ['only'] };
    const data = Dataset.of(schema, [[]], [part, part, part]);
    class Popularity extends Model {
      readonly items = new nn.Embedding(items, 1);
      forward({ features: { item } }: Batch): Tensor {
        return this.items.forward(item as Tensor);
      }
    }
    const model = new Popularity(data.schema);
    const values = model.parameters().get('items.weight')?.data as Float32Array;
    values.set(values.map((_, item) => (item % 100) / 10 - 5));
    const [memory, streamed] = await both(data, 0);
    const found = await evaluate(model, streamed);
    expect(found).toEqual(await evaluate(model, memory));
    const { streamed: expected } = JSON.parse(
      await readFile(new URL('../fixtures/statistics.json', import.meta.url), 'utf8'),
    ) as { streamed: { auc: number; loss: number } };
    expect(found.auc.mean).toBeCloseTo(expected.auc, 12);
    // Sums of single precision.
    expect(found.loss.mean).toBeCloseTo(expected.loss, 6);
  });

  it('may have numbers, lists, shared tables and weights', async () => {
    const data = kindsData({ weight: 'weight' });
    const make = (own: Dataset) =>
      models.mlp({ schema: own.schema, embeddingDim: 4, hidden: [8], dropout: 0.2, seed: 3 });
    // A window of the largest domain, by the bytes of its rows: about 60.
    const [memory, streamed] = await both(data, 100 * 2 * 70);
    expect(streamed.weighted).toBe(true);
    const outcome = async (own: Dataset) => {
      const model = make(own);
      const { metrics } = await fit(model, own, { ...settings, classWeights: [1, 2] });
      return { bits: bitsOf(model), metrics };
    };
    expect(await outcome(streamed)).toEqual(await outcome(memory));
    const windows = await Dataset.open({ source: path('data'), dataBudget: 2000 });
    const model = make(memory);
    await fit(model, memory, settings);
    expect(await evaluate(model, windows, 'test')).toEqual(await evaluate(model, memory, 'test'));
    expect(await gradientCosines(model, streamed)).toEqual(await gradientCosines(model, memory));
  });
});

describe('a file', () => {
  const file = () => path('data', 'dataset.safetensors');
  const change: Record<string, () => Promise<void>> = {
    'cut off': async () => truncate(file(), (await stat(file())).size - 4000),
    grown: () => appendFile(file(), 'more'),
    'written to': async () => utimes(file(), new Date(), new Date(Date.now() + 5000)),
  };

  it.each(Object.keys(change))('that is %s while it is read ends training', async (name) => {
    const [, streamed] = await both(toyData([2000, 900, 60]), 32 * 300);
    let changed: Promise<void> | undefined;
    const error = await errorOf(() =>
      outcomeOf(streamed, {
        epochs: 1000,
        patience: 1000,
        onEvent: ({ kind }) => {
          if (kind === 'epoch') changed ??= change[name]?.();
        },
      }),
    );
    await changed;
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain(file());
    expect(error.message).toMatch(/changed after it was opened/);
  });

  it('that is cut off is not opened, nor trained on when it was opened before', async () => {
    const [, streamed] = await both(toyData([2000, 900, 60]), 32 * 300);
    await change['cut off']?.();
    for (const act of [
      () => Dataset.open({ source: path('data'), dataBudget: 32 * 300 }),
      () => outcomeOf(streamed),
    ]) {
      const error = await errorOf(act);
      expect(error).toBeInstanceOf(DataError);
      expect(error.message).toContain(path('data'));
    }
  });

  it('of another layout is not opened', async () => {
    const [data] = await both(toyData([2000, 900, 60]), 0);
    const tensors = new Map<string, Int32Array | Float32Array>();
    for (const name of splitNames) {
      const split = data.split(name);
      tensors.set(`${name}.domainOffsets`, split.domainOffsets);
      split.ids.forEach((ids, i) => {
        tensors.set(`${name}.ids.${i}`, ids);
      });
      tensors.set(`${name}.labels`, split.labels.subarray(1));
    }
    await writeTensors(file(), tensors);
    const error = await errorOf(() => Dataset.open({ source: path('data'), dataBudget: 0 }));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(/'train.ids.0' has 2960 values; expected 2959/);
  });
});

describe('a dataset on disk', () => {
  it('is in memory within its budget', async () => {
    const data = toyData();
    await data.save(path('data'));
    const { size } = await stat(path('data', 'dataset.safetensors'));
    const opened = await Dataset.open({ source: path('data'), dataBudget: size });
    expect(opened.streamed).toBe(false);
    expect(opened.train).toEqual(data.train);
    expect((await Dataset.open({ source: path('data'), dataBudget: size - 1 })).streamed).toBe(
      true,
    );
  });

  it('tells its sizes, and refuses what needs its rows in memory', async () => {
    const [memory, streamed] = await both(toyData(), 0);
    expect(streamed.schema).toEqual(memory.schema);
    expect(streamed.train.rows).toBe(memory.train.rows);
    expect(streamed.test.domainOffsets).toEqual(memory.test.domainOffsets);
    expect(streamed.as(memory.vocabulary)).toBe(streamed);
    const { schema, vocabulary } = memory;
    const other = new Vocabulary(schema, vocabulary.values.toReversed());
    for (const act of [
      () => streamed.train.labels,
      () => streamed.test.ids,
      () => streamed.as(other),
    ]) {
      const error = await errorOf(act);
      expect(error, String(act)).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(/stay on disk.*dataBudget/);
    }
  });

  it('is saved as it is, and not when it has changed', async () => {
    const [memory, streamed] = await both(kindsData({ weight: 'weight' }), 0);
    await streamed.save(path('copy'));
    for (const name of ['dataset.safetensors', 'schema.json', 'vocabulary.jsonl']) {
      expect(await readFile(path('copy', name))).toEqual(await readFile(path('data', name)));
    }
    expect((await Dataset.open(path('copy'))).train).toEqual(memory.train);
    await appendFile(path('data', 'dataset.safetensors'), 'more');
    const error = await errorOf(() => streamed.save(path('other')));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(/dataset.safetensors' changed after it was opened/);
  });

  it('knows how often training rows have each id', async () => {
    const [memory, streamed] = await both(kindsData(), 0);
    expect(streamed.vocabulary.usage).toEqual(memory.vocabulary.usage);
  });

  it.each([
    [{ dataBudget: -1 }, /data.dataBudget: -1/],
    [{ dataBudget: 0.5 }, /data.dataBudget: 0.5/],
    [{ dataBudget: 10, domain: 'shop' }, /data/],
  ])('has no budget such as %s', async (options, message) => {
    await toyData().save(path('data'));
    const error = await errorOf(() => Dataset.open({ source: path('data'), ...options } as never));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
  });

  it('is not one in the layout of MAMDR', async () => {
    await mkdir(path('mamdr', 'domain_0'), { recursive: true });
    for (const name of ['train', 'val', 'test']) {
      await writeFile(
        join(path('mamdr', 'domain_0'), `${name}.csv`),
        'uid,pid,domain,label\n0,0,0,1\n',
      );
    }
    const error = await errorOf(() => Dataset.open({ source: path('mamdr'), dataBudget: 10 }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/polydomain prepare/);
  });
});
