import { describe, expect, it } from 'vitest';
import { evaluate, fit, load, optim, strategies } from '../../ts/index.js';
import { modelConfig, modelMakers, modelOf } from '../../ts/models/registry.js';
import type { Row } from '../../ts/serve/scorer.js';
import { temporaryFolder } from '../folder.js';
import { kindsData, kindsTable } from '../kinds.js';

const path = temporaryFolder();
const data = kindsData();
const table = kindsTable();
const names = ['shop', ...data.schema.features.map(({ name }) => name)] as (keyof typeof table)[];
const rows = table.shop.map(
  (_, row): Row => Object.fromEntries(names.map((name) => [name, table[name][row] as never])),
);
const make = (name: string) => {
  const dropout = name !== 'star' && { dropout: 0.1 };
  const config = modelConfig.parse({ name, embeddingDim: 4, hidden: [8], ...dropout });
  return modelOf(config, { schema: data.schema, seed: 1 });
};
const options = {
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 2,
  seed: 4,
} as const;

describe.each(Object.keys(modelMakers))('%s over every kind of feature', (name) => {
  it.each([
    ['alternate', strategies.alternate(), {}],
    ['mamdr, then finetune', strategies.mamdr({ helpers: 1, outerRate: 0.5 }), { finetune: {} }],
    ['pcgrad', strategies.pcgrad({ helpers: 1 }), {}],
  ] as const)(
    'is trained by %s, saved, loaded, and scores the same',
    async (kind, strategy, extra) => {
      const model = make(name);
      const before = [...model.parameters()].map(
        ([key, { data: own }]) => [key, own.slice()] as const,
      );
      const run = await fit(model, data, { ...options, ...extra, strategy });
      expect(Number.isFinite(run.metrics.test.loss.mean)).toBe(true);
      const shared = model.parameters();
      for (const [key, own] of before) {
        // Every parameter is trained, also those of numbers and lists; a constant number is 0 to it.
        expect(shared.get(key)?.data.every(Number.isFinite), key).toBe(true);
        if (!key.includes('constant')) expect(shared.get(key)?.data, key).not.toEqual(own);
      }
      const folder = path(`${name} ${kind}`);
      await run.save(folder);
      const loaded = await load(folder);
      const scores = await run.predict(rows);
      expect(scores.every((score) => score > 0 && score < 1)).toBe(true);
      expect(await loaded.predict(rows)).toEqual(scores);
      expect(await loaded.predict(table as never)).toEqual(scores);
      for (const row of [0, 1, 2, 17]) {
        const scorer = loaded.forDomain(String(rows[row]?.shop));
        expect(Math.fround(scorer.predictSync(rows[row] as Row))).toBe(scores[row]);
      }
      expect(await evaluate(loaded.model, data.as(loaded.vocabulary))).toEqual(run.metrics.test);
    },
  );

  it('gives the same bits with any number of threads', async () => {
    const runs = [];
    for (const threads of [1, 3]) {
      const model = make(name);
      await fit(model, data, { ...options, threads, strategy: strategies.alternate() });
      runs.push([...model.parameters()].map(([key, { data: own }]) => [key, own.slice()]));
    }
    expect(runs[0]).toEqual(runs[1]);
  });
});
