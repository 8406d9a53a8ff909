import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CheckpointError,
  ConfigError,
  evaluate,
  type FitOptions,
  fit,
  load,
  optim,
  strategies,
  TrainingError,
} from '../../ts/index.js';
import { stagesOf } from '../../ts/strategies/types.js';
import { temporaryFolder } from '../folder.js';
import { bitsOf, toyData, toyModel } from '../toy.js';
import { everyStrategy } from './every-strategy.js';

const options = (strategy: FitOptions['strategy']): FitOptions => ({
  strategy,
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 4,
  seed: 5,
});

const inFolder = temporaryFolder();

const rows = [
  { user: 'v3', item: 'v7' },
  { user: 'v9', item: 'nobody knows it' },
];

/** What a run leads to: shared parameters, metrics and scores of every domain. */
async function outcomeOf(overrides: Partial<FitOptions>, strategy: FitOptions['strategy']) {
  const data = toyData();
  const model = toyModel(data);
  const result = await fit(model, data, { ...options(strategy), ...overrides });
  const scores = await Promise.all(
    data.schema.domains.map(async (domain) => [...(await result.forDomain(domain).predict(rows))]),
  );
  return { bits: bitsOf(model), scores, metrics: result.metrics, history: result.history };
}

describe.each(Object.entries(everyStrategy))('fit with %s', (_, [strategy, extra]) => {
  const outcome = (overrides: Partial<FitOptions>) =>
    outcomeOf({ ...extra, ...overrides }, strategy());

  it('learns', async () => {
    const { metrics } = await outcome({ epochs: 12 });
    expect(Object.keys(metrics.test.auc.byDomain)).toEqual(['d0', 'd1', 'd2']);
    expect(metrics.train.auc.mean).toBeGreaterThan(0.6);
    const stages = stagesOf(strategy()).length + (extra.finetune ? 1 : 0);
    expect(metrics.stages.length).toBe(stages - 1);
  });

  it('gives the same bits with 1, 2 and 3 threads', async () => {
    const one = await outcome({ threads: 1 });
    expect(await outcome({ threads: 2 })).toEqual(one);
    expect(await outcome({ threads: 3 })).toEqual(one);
  });

  it('gives the same bits when it is aborted and resumed', async () => {
    const whole = await outcome({});
    for (const abortAt of [1, 4, 7, 12]) {
      const runFolder = inFolder(`at-${abortAt}`);
      const controller = new AbortController();
      let progress = 0;
      const reason = new Error('stopped by the test');
      const stopped = outcome({
        runFolder,
        signal: controller.signal,
        onEvent: ({ kind }) => {
          if (kind === 'progress' && ++progress === abortAt) controller.abort(reason);
        },
      });
      await stopped.then(
        () => expect(progress).toBeLessThan(abortAt),
        (error: unknown) => expect(error).toBe(reason),
      );
      if (progress < abortAt) continue;
      expect(await outcome({ runFolder, resume: true })).toEqual(whole);
    }
  });

  it('is not changed by checkpoints, and can go on from any of them', async () => {
    const whole = await outcome({});
    const runFolder = inFolder('run');
    expect(await outcome({ runFolder, checkpointEvery: 0 })).toEqual(whole);
    expect(await outcome({ runFolder, resume: true })).toEqual(whole);
  });

  it('gives the same bits with any budget for own values, and resumed with another', async () => {
    const whole = await outcome({});
    const runFolder = inFolder('run');
    const controller = new AbortController();
    const reason = new Error('stopped by the test');
    let progress = 0;
    const stopped = await outcome({
      runFolder,
      overlayBudget: 0,
      signal: controller.signal,
      onEvent: ({ kind }) => {
        if (kind === 'progress' && ++progress === 7) controller.abort(reason);
      },
    }).catch((error: unknown) => {
      expect(error).toBe(reason);
      return undefined;
    });
    if (stopped) expect(stopped).toEqual(whole);
    else expect(await outcome({ runFolder, resume: true, overlayBudget: 2 ** 17 })).toEqual(whole);
    const loaded = await load(runFolder, { overlayBudget: 0 });
    const [domain = ''] = loaded.vocabulary.schema.domains;
    expect([...(await loaded.forDomain(domain).predict(rows))]).toEqual(whole.scores[0]);
  });

  it('is loaded as it was saved', async () => {
    const runFolder = inFolder('run');
    const { scores, metrics } = await outcome({ runFolder });
    const stored = JSON.parse(await readFile(join(runFolder, 'metrics.json'), 'utf8'));
    expect(stored).toEqual(JSON.parse(JSON.stringify(metrics)));
    const loaded = await load(runFolder);
    const again = await Promise.all(
      loaded.vocabulary.schema.domains.map(async (domain) => [
        ...(await loaded.forDomain(domain).predict(rows)),
      ]),
    );
    expect(again).toEqual(scores);
    expect(await evaluate(loaded.model, toyData(), 'test')).toEqual(metrics.test);
    expect((await readdir(runFolder)).filter((name) => name.includes('writing'))).toEqual([]);
  });
});

describe('fit', () => {
  it('names domain and step of a loss that is not finite, and what to do', async () => {
    const data = toyData();
    const model = toyModel(data);
    (model.parameters().get('bias')?.data as Float32Array)[0] = Number.NaN;
    await expect(fit(model, data, options(strategies.alternate()))).rejects.toThrow(TrainingError);
    await expect(fit(model, data, options(strategies.alternate()))).rejects.toThrow(
      /domain 'd\d', step 0/,
    );
  });

  it('refuses a checkpoint that is truncated or of another run', async () => {
    const runFolder = inFolder('run');
    const checkpoints = join(runFolder, 'checkpoints');
    await outcomeOf({ runFolder, epochs: 1 }, strategies.dn());
    await expect(outcomeOf({ runFolder, resume: true, seed: 6 }, strategies.dn())).rejects.toThrow(
      CheckpointError,
    );
    const { native } = JSON.parse(await readFile(join(checkpoints, 'progress.json'), 'utf8')) as {
      native: string;
    };
    await truncate(join(checkpoints, native), 1000);
    await expect(outcomeOf({ runFolder, resume: true }, strategies.dn())).rejects.toThrow(
      /truncated or damaged/,
    );
    await writeFile(join(checkpoints, native), 'not a checkpoint at all');
    await expect(outcomeOf({ runFolder, resume: true }, strategies.dn())).rejects.toThrow(
      /not one of polydomain's/,
    );
  });

  it('refuses more helpers than there are other domains', async () => {
    await expect(outcomeOf({}, strategies.mamdr({ helpers: 3 }))).rejects.toThrow(ConfigError);
  });

  it('scores a row with the same bits alone and in a batch', async () => {
    const data = toyData();
    const result = await fit(toyModel(data), data, options(strategies.mamdr({ helpers: 1 })));
    const many = Array.from({ length: 50 }, (_, i) => ({ user: `v${i}`, item: `v${50 - i}` }));
    const scorer = result.forDomain('d1');
    const batch = await scorer.predict(many);
    many.forEach((row, i) => {
      expect(scorer.predictSync(row)).toBe(batch[i]);
    });
  });
});
