import { describe, expect, it } from 'vitest';
import { type Dataset, type FitOptions, fit, models, optim } from '../../ts/index.js';
import { temporaryFolder } from '../folder.js';
import { bitsOf, toyData } from '../toy.js';
import { everyStrategy } from './every-strategy.js';

/** Beside the MLP, on which test/train/fit.test.ts tries more. */
const others = {
  mmoe: (data: Dataset) =>
    models.mmoe({
      schema: data.schema,
      embeddingDim: 4,
      hidden: [6],
      experts: 2,
      gate: [4],
      tower: [4],
      dropout: 0.2,
      seed: 3,
    }),
  // With norms and running averages of each domain's own.
  star: (data: Dataset) =>
    models.star({ schema: data.schema, embeddingDim: 4, hidden: [6], seed: 3 }),
};
const cases = Object.entries(others).flatMap(([model, make]) =>
  Object.entries(everyStrategy).map(
    ([strategy, [made, extra]]) => [strategy, model, make, made, extra] as const,
  ),
);

const inFolder = temporaryFolder();

describe('aborted and resumed it gives the same bits', () => {
  it.each(cases)('%s on %s', async (_, __, make, made, extra) => {
    const outcome = async (overrides: Partial<FitOptions>) => {
      const data = toyData([70, 40, 20]);
      const model = make(data);
      const strategy = made();
      const { metrics, history } = await fit(model, data, {
        strategy,
        optimizer: optim.adam({ learningRate: 1e-2 }),
        batchSize: 16,
        epochs: 3,
        seed: 5,
        ...extra,
        ...overrides,
      });
      return { bits: bitsOf(model), metrics, history };
    };
    const whole = await outcome({});
    const runFolder = inFolder('run');
    // Again and again, a few reports of progress further each time.
    let stops = 0;
    for (;;) {
      const controller = new AbortController();
      let progress = 0;
      const reason = new Error('stopped by the test');
      const stopped = outcome({
        runFolder,
        resume: stops > 0,
        signal: controller.signal,
        onEvent: ({ kind }) => {
          if (kind === 'progress' && ++progress === 2 + 2 * stops) controller.abort(reason);
        },
      }).catch((error: unknown) => error);
      const result = await stopped;
      if (result !== reason) {
        expect(result).toEqual(whole);
        break;
      }
      stops++;
    }
    expect(stops).toBeGreaterThan(0);
  });
});
