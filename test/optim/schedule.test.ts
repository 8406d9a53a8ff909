import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  type Batch,
  ConfigError,
  Dataset,
  fit,
  Model,
  nn,
  ops,
  optim,
  type Strategy,
  strategies,
  type Tensor,
} from '../../ts/index.js';
import { optimizerConfig } from '../../ts/optim/optimizers.js';
import { distance } from '../distance.js';
import { bitsOf, toyData, toyModel } from '../toy.js';

type State = Record<string, number[]>;
interface Fixture {
  items: number;
  batch: number;
  item: number[];
  label: number[];
  start: State;
  /** Numbers of steps after which a case's ends are. */
  steps: number[];
  cases: { optimizer: z.input<typeof optimizerConfig>; ends: State[] }[];
}
const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/schedules.json', import.meta.url), 'utf8'),
) as Fixture;

class Effects extends Model {
  readonly item = new nn.Embedding(fixture.items, 1);
  readonly bias = new nn.Parameter([1]);

  forward({ features }: Batch): Tensor {
    return ops.add(this.item.forward(features.item as Tensor), this.bias);
  }
}

function data(): Dataset {
  const rows = fixture.label.length;
  const split = {
    rows,
    domainOffsets: Int32Array.of(0, rows),
    ids: [Int32Array.from(fixture.item)],
    labels: Float32Array.from(fixture.label),
  };
  return Dataset.of(
    {
      label: 'label',
      domain: 'domain',
      features: [{ name: 'item', kind: 'categorical', size: fixture.items }],
      domains: ['a'],
    },
    [[]],
    [split, split, split],
  );
}

const order = Int32Array.from(fixture.label, (_, row) => row);

async function train(optimizer: optim.Optimizer, maxSteps: number): Promise<Effects> {
  const rows = data();
  const model = new Effects(rows.schema);
  for (const [name, values] of Object.entries(fixture.start)) {
    model.parameters().get(name)?.data.set(values);
  }
  const inOrder: Strategy = {
    name: 'in order',
    options: {},
    *epoch() {
      yield { kind: 'run', domain: 0, order, maxSteps };
    },
  };
  await fit(model, rows, { strategy: inOrder, optimizer, batchSize: fixture.batch, epochs: 1 });
  return model;
}

const named = fixture.cases.map((one) => {
  const { kind, ...options } = one.optimizer.schedule ?? { kind: 'none' };
  return [one.optimizer.name, kind, JSON.stringify(options), one] as const;
});

describe('schedules beside PyTorch', () => {
  it.each(named)('%s, %s %s', async (_, __, ___, { optimizer, ends }) => {
    const parsed = optimizerConfig.parse(optimizer);
    for (const [i, steps] of fixture.steps.entries()) {
      const model = await train(parsed, steps);
      const end = ends[i] as State;
      // All values as one vector: the bias alone may be near zero.
      const trained = Object.keys(end).flatMap((name) => [
        ...(model.parameters().get(name)?.data ?? []),
      ]);
      const expected = Object.values(end).flat();
      expect(distance(trained, expected), `after ${steps}`).toBeLessThanOrEqual(1e-5);
      model.dispose();
    }
  });
});

const falling = { kind: 'exponential', gamma: 0.97, warmup: 3 } as const;

describe('the steps of a schedule', () => {
  const passes = (reset: boolean): Strategy => ({
    name: 'two passes',
    options: {},
    *epoch() {
      yield { kind: 'run', domain: 0, order, maxSteps: 4 };
      if (reset) yield { kind: 'resetOptimizer' };
      yield { kind: 'run', domain: 0, order, maxSteps: 4 };
    },
  });
  const bits = async (strategy: Strategy, schedule: optim.Schedule) => {
    const rows = data();
    const model = new Effects(rows.schema);
    const optimizer = optim.sgd({ learningRate: 0.2, schedule });
    await fit(model, rows, { strategy, optimizer, batchSize: fixture.batch, epochs: 1 });
    return [...model.parameters()].map(([name, tensor]) => [name, [...tensor.data]]);
  };

  it('begin anew with resetOptimizer', async () => {
    // SGD has nothing else to reset.
    const drop: optim.Schedule = { kind: 'step', milestones: [4], gamma: 1e-9, warmup: 0 };
    const constant: optim.Schedule = { kind: 'constant', warmup: 0 };
    expect(await bits(passes(true), drop)).toEqual(await bits(passes(true), constant));
    expect(await bits(passes(false), drop)).not.toEqual(await bits(passes(false), constant));
  });

  it('are those of each optimizer: an outer one takes one per outer step', async () => {
    const run = async (schedule: optim.Schedule) => {
      const rows = toyData();
      const model = toyModel(rows, 0);
      const outerOptimizer = optim.sgd({ learningRate: 0.5, schedule });
      await fit(model, rows, {
        strategy: strategies.dn({ outerOptimizer }),
        optimizer: optim.sgd({ learningRate: 0.1 }),
        epochs: 2,
        seed: 1,
        batchSize: 64,
      });
      return bitsOf(model);
    };
    // The first of two steps is the same whatever comes after it.
    const whole = await run({ kind: 'constant', warmup: 0 });
    expect(await run({ kind: 'step', milestones: [2], gamma: 1e-3, warmup: 0 })).toBe(whole);
    expect(await run({ kind: 'step', milestones: [1], gamma: 1e-3, warmup: 0 })).not.toBe(whole);
  });

  it('go on where an aborted run stood', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'polydomain-schedule-'));
    try {
      const run = async (more: object) => {
        const rows = toyData();
        const model = toyModel(rows);
        await fit(model, rows, {
          strategy: strategies.alternate(),
          optimizer: optim.adam({ learningRate: 0.02, schedule: falling }),
          batchSize: 16,
          epochs: 2,
          ...more,
        });
        return bitsOf(model);
      };
      const whole = await run({});
      const runFolder = join(folder, 'run');
      const controller = new AbortController();
      let events = 0;
      const stopped = run({
        runFolder,
        signal: controller.signal,
        onEvent: ({ kind }: { kind: string }) => {
          if (kind === 'progress' && ++events === 2) controller.abort(new Error('stopped'));
        },
      });
      await expect(stopped).rejects.toThrow('stopped');
      expect(await run({ runFolder, resume: true })).toBe(whole);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('schedules out of range', () => {
  it.each([
    [{ kind: 'linear' }, /adam\.schedule\.kind: 'linear'.*constant/],
    [{ kind: 'exponential' }, /adam\.schedule\.gamma: missing/],
    [{ kind: 'exponential', gamma: 1.5 }, /adam\.schedule\.gamma: 1\.5; expected/],
    [{ kind: 'exponential', gamma: 0.5, every: 0 }, /adam\.schedule\.every: 0; expected/],
    [{ kind: 'step', milestones: [] }, /adam\.schedule\.milestones: \[\]; expected/],
    [{ kind: 'step', milestones: [5, 5] }, /adam\.schedule\.milestones: \[5,5\]; expected asc/],
    [{ kind: 'cosine', steps: 0 }, /adam\.schedule\.steps: 0; expected/],
    [{ kind: 'cosine', steps: 9, minimum: -1 }, /adam\.schedule\.minimum: -1; expected/],
    [{ kind: 'inverse', power: Number.NaN }, /adam\.schedule\.power: NaN; expected/],
    [{ kind: 'constant', warmup: -1 }, /adam\.schedule\.warmup: -1; expected/],
    [{ kind: 'constant', steps: 3 }, /adam\.schedule: unknown key 'steps'/],
  ])('%o', (schedule, message) => {
    const make = () => optim.adam({ schedule: schedule as never });
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
  });
});
