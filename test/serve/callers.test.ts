import { expect, it, vi } from 'vitest';
import { fit, optim, strategies } from '../../ts/index.js';
import { toyData, toyModel } from '../toy.js';

it('many callers, again and again, are scored together while the event loop turns', async () => {
  const data = toyData();
  const model = toyModel(data);
  const strategy = strategies.alternate();
  const run = await fit(model, data, { strategy, optimizer: optim.adam(), epochs: 1 });
  const scorer = run.forDomain('d0');
  const rows = Array.from({ length: 64 }, (_, i) => ({
    user: `v${1 + (i % 30)}`,
    item: `v${i % 7}`,
  }));
  const alone = rows.map((row) => scorer.predictSync(row));

  const crossings = vi.spyOn(model.compile().scoring, 'predictAsync');
  let turns = 0;
  let turning = true;
  const turn = (): void => {
    turns++;
    if (turning) setImmediate(turn);
  };
  setImmediate(turn);
  const calls = 50;
  await Promise.all(
    rows.map(async (row, i) => {
      for (let call = 0; call < calls; call++) {
        expect(await scorer.predict([row])).toEqual(Float32Array.of(alone[i] as number));
      }
    }),
  );
  turning = false;
  const scored = crossings.mock.calls.reduce((sum, [, count]) => sum + count, 0);
  expect(scored).toBe(rows.length * calls);
  // Whoever finds nobody at work goes alone, and the others together behind.
  expect(crossings.mock.calls.length).toBeLessThanOrEqual(2 * calls);
  // Scores that were made on this thread would leave the event loop no turn before the last of them.
  expect(turns).toBeGreaterThanOrEqual(calls);
  model.dispose();
});
