import { describe, expect, it } from 'vitest';
import { fit, models, optim, type Strategy } from '../../ts/index.js';
import type { NativeCommand } from '../../ts/native/addon.js';
import { CommandQueue } from '../../ts/train/command-queue.js';
import { toyData } from '../toy.js';

function* releases(count: number): Generator<NativeCommand> {
  for (let target = 0; target < count; target++) yield { kind: 'release', target };
}
const targetsOf = (commands: readonly NativeCommand[]) => commands.map(({ target }) => target);

describe('a queue of commands', () => {
  it('hands out each once, in order, however they are made ready', async () => {
    const queue = new CommandQueue(releases(10));
    queue.prepare(3);
    expect(targetsOf(queue.take(2))).toEqual([0, 1]);
    expect(await queue.skip(4)).toBe(4);
    queue.resume({ step: 7, lossSum: 1, rows: 2 });
    expect(queue.take(1)).toEqual([
      { kind: 'release', target: 6, resumed: { step: 7, lossSum: 1, rows: 2 } },
    ]);
    expect(queue.isEmpty).toBe(false);
    expect(targetsOf(queue.take(100))).toEqual([7, 8, 9]);
    expect(queue.isEmpty).toBe(true);
    expect(await queue.skip(5)).toBe(0);
  });

  it('gives the event loop turns while it skips', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const queue = new CommandQueue(releases(1_000_000));
    expect(await queue.skip(Number.POSITIVE_INFINITY)).toBe(1_000_000);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });
});

describe('fit', () => {
  const count = 40_000;
  const data = toyData([40, 20]);
  const train = async (strategy: Strategy, onProgress: (done: number, total: number) => void) => {
    const model = models.mlp({ schema: data.schema, embeddingDim: 2, hidden: [2] });
    await fit(model, data, {
      strategy,
      optimizer: optim.sgd(),
      epochs: 1,
      onEvent(event) {
        if (event.kind === 'progress') onProgress(event.done, event.total);
      },
    });
  };

  it('makes commands when they are due, and tells how many there are', async () => {
    let made = 0;
    let furthest = 0;
    const strategy: Strategy = {
      name: 'marks',
      options: {},
      *epoch() {
        made = 0;
        for (let pair = 0; pair < count / 2; pair++) {
          for (const kind of ['mark', 'release'] as const) {
            made++;
            yield { kind, target: 1 };
          }
        }
      },
    };
    const totals = new Set<number>();
    await train(strategy, (done, total) => {
      furthest = Math.max(furthest, made - done);
      totals.add(total);
    });
    expect([...totals]).toEqual([count]);
    expect(made).toBe(count);
    expect(furthest).toBeLessThan(count / 8);
  });

  it('rejects with what a strategy throws in the middle of an epoch', async () => {
    const error = new Error('thought better of it');
    let epochs = 0;
    const strategy: Strategy = {
      name: 'fickle',
      options: {},
      *epoch() {
        // The first time the commands are counted.
        const last = epochs++ > 0 ? count / 2 : count;
        for (let i = 0; i < last; i++) yield { kind: 'resetOptimizer' };
        if (last < count) throw error;
      },
    };
    await expect(train(strategy, () => {})).rejects.toBe(error);
    expect(epochs).toBe(2);
  });
});
