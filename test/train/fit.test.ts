import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CheckpointError,
  ConfigError,
  type FitOptions,
  fit,
  optim,
  type Strategy,
  strategies,
  TrainingError,
} from '../../ts/index.js';
import { bitsOf, toyData, toyModel } from '../toy.js';

const all: Record<string, () => Strategy> = {
  alternate: strategies.alternate,
  separate: strategies.separate,
  dn: strategies.dn,
  dr: () => strategies.dr({ helpers: 2 }),
  mamdr: () => strategies.mamdr({ helpers: 2 }),
};

const options = (strategy: Strategy): FitOptions => ({
  strategy,
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 4,
  seed: 5,
});

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polydomain-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** What a run leads to: shared parameters, metrics and scores of every domain. */
async function outcomeOf(overrides: Partial<FitOptions>, strategy: Strategy) {
  const data = toyData();
  const model = toyModel(data);
  const result = await fit(model, data, { ...options(strategy), ...overrides });
  const rows = [
    { user: 'v3', item: 'v7' },
    { user: 'v9', item: 'nobody knows it' },
  ];
  const scores = await Promise.all(
    data.schema.domains.map(async (domain) => [...(await result.scorer(domain).predict(rows))]),
  );
  return { bits: bitsOf(model), scores, metrics: result.metrics, history: result.history };
}

describe.each(Object.entries(all))('fit with %s', (_, strategy) => {
  it('learns', async () => {
    const { history, metrics } = await outcomeOf({ epochs: 6 }, strategy());
    expect(history.at(-1)?.loss).toBeLessThan(history[0]?.loss as number);
    expect(Object.keys(metrics.test.auc.byDomain)).toEqual(['d0', 'd1', 'd2']);
  });

  it('gives the same bits with 1, 2 and 3 threads', async () => {
    const one = await outcomeOf({ threads: 1 }, strategy());
    expect(await outcomeOf({ threads: 2 }, strategy())).toEqual(one);
    expect(await outcomeOf({ threads: 3 }, strategy())).toEqual(one);
  });

  it('gives the same bits when it is aborted and resumed', async () => {
    const whole = await outcomeOf({}, strategy());
    for (const abortAt of [1, 4, 7, 12]) {
      const checkpoints = join(folder, `at-${abortAt}`);
      const controller = new AbortController();
      let progress = 0;
      const reason = new Error('stopped by the test');
      const stopped = outcomeOf(
        {
          checkpoints,
          signal: controller.signal,
          onEvent: ({ kind }) => {
            if (kind === 'progress' && ++progress === abortAt) controller.abort(reason);
          },
        },
        strategy(),
      );
      await stopped.then(
        () => expect(progress).toBeLessThan(abortAt),
        (error: unknown) => expect(error).toBe(reason),
      );
      if (progress < abortAt) continue;
      expect(await outcomeOf({ checkpoints, resume: true }, strategy())).toEqual(whole);
    }
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
    const checkpoints = join(folder, 'run');
    await outcomeOf({ checkpoints, epochs: 1 }, strategies.dn());
    await expect(
      outcomeOf({ checkpoints, resume: true, seed: 6 }, strategies.dn()),
    ).rejects.toThrow(CheckpointError);
    const { native } = JSON.parse(await readFile(join(checkpoints, 'progress.json'), 'utf8')) as {
      native: string;
    };
    await truncate(join(checkpoints, native), 1000);
    await expect(outcomeOf({ checkpoints, resume: true }, strategies.dn())).rejects.toThrow(
      /truncated or damaged/,
    );
    await writeFile(join(checkpoints, native), 'not a checkpoint at all');
    await expect(outcomeOf({ checkpoints, resume: true }, strategies.dn())).rejects.toThrow(
      /not one of polydomain's/,
    );
  });

  it('refuses more helpers than there are other domains', async () => {
    await expect(outcomeOf({}, strategies.mamdr({ helpers: 3 }))).rejects.toThrow(ConfigError);
  });

  it('scores a row with the same bits alone and in a batch', async () => {
    const data = toyData();
    const result = await fit(toyModel(data), data, options(strategies.mamdr({ helpers: 1 })));
    const rows = Array.from({ length: 50 }, (_, i) => ({ user: `v${i}`, item: `v${50 - i}` }));
    const scorer = result.scorer('d1');
    const batch = await scorer.predict(rows);
    rows.forEach((row, i) => {
      expect(scorer.predictSync(row)).toBe(batch[i]);
    });
  });
});
