import { describe, expect, it } from 'vitest';
import { Random } from '../../ts/data/random.js';
import {
  Dataset,
  type FitEvent,
  fit,
  models,
  optim,
  type Split,
  type Strategy,
  strategies,
} from '../../ts/index.js';
import { addon } from '../../ts/native/load.js';
import { userItemSchema } from '../user-item-schema.js';

const domains = 30;

/** Many domains of very different sizes, `rows` training rows in all. */
function largeData(rows: number): Dataset {
  const random = new Random(3);
  const users = 5000;
  const items = 2000;
  const part = (total: number): Split => {
    const weights = Array.from({ length: domains }, (_, d) => 1 / (1 + d));
    const sum = weights.reduce((all, weight) => all + weight, 0);
    const counts = weights.map((weight) => Math.ceil((total * weight) / sum));
    const domainOffsets = new Int32Array(domains + 1);
    counts.forEach((count, d) => {
      domainOffsets[d + 1] = Number(domainOffsets[d]) + count;
    });
    const all = Number(domainOffsets[domains]);
    const ids = [users, items].map((size) =>
      Int32Array.from({ length: all }, () => 1 + random.below(size - 1)),
    );
    const labels = Float32Array.from({ length: all }, () => random.below(2));
    return { rows: all, domainOffsets, ids, labels };
  };
  const names = (size: number) => Array.from({ length: size - 1 }, (_, i) => `v${i + 1}`);
  return Dataset.of(
    userItemSchema(
      users,
      items,
      Array.from({ length: domains }, (_, d) => `d${d}`),
    ),
    [names(users), names(items)],
    [part(rows), part(rows / 20), part(rows / 20)],
  );
}

/** Notes the moment of every native call that trains or evaluates, while `body` runs. */
async function crossingsOf(body: () => Promise<unknown>): Promise<number[]> {
  const native = addon();
  const { Session } = native;
  const moments: number[] = [];
  native.Session = class extends Session {
    override run(...args: Parameters<InstanceType<typeof Session>['run']>) {
      moments.push(performance.now());
      return super.run(...args);
    }
  };
  try {
    await body();
  } finally {
    native.Session = Session;
  }
  return moments;
}

describe('while fit trains on many rows', () => {
  const data = largeData(300_000);
  const all: readonly [string, Strategy, number][] = [
    ['alternate', strategies.alternate(), 8],
    ['mamdr', strategies.mamdr({ helpers: 1 }), 3],
  ];

  it.each(all)(
    '%s crosses into JavaScript seldom, and never blocks it',
    async (name, strategy, epochs) => {
      const model = models.mlp({
        schema: data.schema,
        embeddingDim: 16,
        hidden: [64, 32],
        dropout: 0.2,
        seed: 1,
      });
      // Blocks of commands grow until they are long enough: that takes a moment.
      const settling = 300;
      const progress: number[] = [];
      let [begun, ended] = [0, 0];
      const onEvent = ({ kind }: FitEvent): void => {
        ended = performance.now();
        if (kind === 'phase') begun = ended;
        if (kind === 'progress') progress.push(ended);
      };
      let last = process.hrtime.bigint();
      let ticks = 0;
      let largestGap = 0n;
      const timer = setInterval(() => {
        const now = process.hrtime.bigint();
        ticks++;
        if (now - last > largestGap) largestGap = now - last;
        last = now;
      }, 1);
      const optimizer = optim.adam({ learningRate: 1e-3 });
      const crossings = await crossingsOf(() =>
        fit(model, data, {
          strategy,
          optimizer,
          batchSize: 256,
          epochs,
          patience: epochs,
          seed: 1,
          onEvent,
        }),
      );
      clearInterval(timer);
      const settled = begun + settling;
      const counted = ended - settled;
      expect(counted).toBeGreaterThan(0);
      const sinceSettled = (moments: readonly number[]): number =>
        moments.filter((moment) => moment > settled).length;
      const milliseconds = Number(largestGap) / 1e6;
      console.info(
        `${name}: ${(ended - begun).toFixed(0)} ms, ${crossings.length} crossings, ` +
          `${ticks} ticks of 1 ms, largest gap ${milliseconds.toFixed(1)} ms`,
      );
      expect(progress.length).toBeGreaterThan(0);
      expect(sinceSettled(progress)).toBeLessThanOrEqual(counted / 10);
      expect(sinceSettled(crossings)).toBeLessThanOrEqual(counted / 10);
      // A training that held the event loop would leave no ticks at all.
      expect(ticks).toBeGreaterThan(counted / 100);
    },
    120_000,
  );
});
