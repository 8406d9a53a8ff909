import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError, fit, optim, type Scorer, strategies } from '../../ts/index.js';
import { topK } from '../../ts/serve/top-k.js';
import { toyData, toyModel } from '../toy.js';

/** Best first, ties by index: the whole order by sorting. */
function sorted(scores: Float32Array): number[] {
  return [...scores.keys()].sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
}

describe('topK of scores', () => {
  it.each([1, 2, 3, 7, 50, 199, 200, 500])('is the head of the sorted list: k = %d', (k) => {
    // Few different values: many ties.
    const scores = Float32Array.from({ length: 200 }, (_, i) => ((i * 7919) % 23) / 23);
    const { index, score } = topK(scores, k);
    expect([...index]).toEqual(sorted(scores).slice(0, k));
    expect([...score]).toEqual([...index].map((row) => scores[row]));
  });

  it('is empty without rows', () => {
    expect(topK(new Float32Array(), 3)).toEqual({
      index: new Int32Array(),
      score: new Float32Array(),
    });
  });
});

describe('scorer.topK', () => {
  let scorer: Scorer;
  const items = Array.from({ length: 40 }, (_, i) => `v${(i * 13) % 31}`);
  beforeAll(async () => {
    const data = toyData();
    const run = await fit(toyModel(data), data, {
      strategy: strategies.mamdr({ helpers: 1 }),
      optimizer: optim.adam({ learningRate: 1e-2 }),
      epochs: 2,
    });
    scorer = run.forDomain('d1');
  });

  it('sorts what predict gives, of rows and of columns', async () => {
    const columns = { user: items.map((_, i) => `v${i}`), item: items };
    const scores = await scorer.predict(columns);
    const rows = items.map((item, i) => ({ user: `v${i}`, item }));
    for (const input of [columns, rows]) {
      const { index, score } = await scorer.topK(input, 5);
      expect([...index]).toEqual(sorted(scores).slice(0, 5));
      expect([...score]).toEqual([...index].map((row) => scores[row]));
    }
  });

  it('takes one user for many items', async () => {
    const scores = await scorer.predict({ user: items.map(() => 'v7'), item: items });
    const { index } = await scorer.topK({ user: 'v7' }, { item: items }, 9);
    expect([...index]).toEqual(sorted(scores).slice(0, 9));
    // An item that is there twice comes twice, the first row first.
    expect((await scorer.topK({ user: 'v7' }, { item: items }, 1000)).index).toHaveLength(40);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses k = %d', async (k) => {
    await expect(scorer.topK({ user: 'v7' }, { item: items }, k)).rejects.toThrow(ConfigError);
    await expect(scorer.topK({ user: items, item: items }, k)).rejects.toThrow(/topK: k .*; exp/);
  });

  it('refuses columns that are missing and scores that are no numbers', async () => {
    await expect(scorer.topK({ user: 'v7' }, {}, 3)).rejects.toThrow(/'item' is missing/);
    await expect(scorer.topK({}, { item: items }, 3)).rejects.toThrow(DataError);
    const data = toyData();
    const broken = toyModel(data);
    broken.parameters().get('bias')?.data.fill(Number.NaN);
    const { Predictor } = await import('../../ts/serve/predictor.js');
    const scores = new Predictor(broken, data.vocabulary).forDomain('d0');
    await expect(scores.topK({ user: 'v7' }, { item: items }, 3)).rejects.toThrow(
      /row 0 scores NaN/,
    );
  });
});
