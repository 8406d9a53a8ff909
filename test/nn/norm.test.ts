import { describe, expect, it } from 'vitest';
import {
  type Batch,
  ConfigError,
  evaluate,
  type FitOptions,
  fit,
  Module,
  nn,
  ops,
  optim,
  type Schema,
  type Strategy,
  strategies,
  type Tensor,
} from '../../ts/index.js';
import type { Command } from '../../ts/strategies/types.js';
import { distance } from '../distance.js';
import { toyData } from '../toy.js';

/** Two embedded features through a norm of either kind to one logit. */
class Normed extends Module<[Batch], Tensor> {
  readonly tables: nn.Embedding[];
  readonly norm: nn.BatchNorm1d | nn.BankBatchNorm;
  readonly output = new nn.Linear(8, 1);

  constructor({ features, domains }: Schema, kind: 'shared' | 'bank') {
    super();
    this.tables = features
      .filter((feature) => feature.kind === 'categorical')
      .map(({ size }) => new nn.Embedding(size, 4, { deviation: 1 }));
    const options = { momentum: 0.9 };
    this.norm =
      kind === 'shared'
        ? new nn.BatchNorm1d(8, options)
        : new nn.PartitionedNorm(domains.length, 8, options);
  }

  forward({ features, slot }: Batch): Tensor {
    const fields = this.tables.map((table, i) =>
      table.forward(Object.values(features)[i] as Tensor),
    );
    const x = ops.concat(fields);
    const y =
      this.norm instanceof nn.BatchNorm1d ? this.norm.forward(x) : this.norm.forward(x, slot);
    return this.output.forward(y);
  }
}

const data = toyData([90, 60, 30]);
const options = {
  // So small that no weight moves, and with it what is averaged.
  optimizer: optim.sgd({ learningRate: 1e-30 }),
  batchSize: 32,
  epochs: 1,
  seed: 3,
};
const train = (
  kind: 'shared' | 'bank',
  epoch: Strategy['epoch'],
  extra: Partial<Strategy> = {},
  more: Partial<FitOptions> = {},
) =>
  fit(new Normed(data.schema, kind), data, {
    ...options,
    ...more,
    strategy: { name: 'own', options: {}, ...extra, epoch },
  });
type Run = Awaited<ReturnType<typeof train>>;
const statistics = ({ model }: Run) =>
  ['norm.runningMean', 'norm.runningVar'].map((name) => [
    ...(model.parameters().get(name)?.data ?? []),
  ]);

/** The averages after passes over the given domains, from the embeddings themselves. */
function expected(run: Run, passes: readonly number[]): number[][] {
  const parameters = run.model.parameters();
  const mean = new Array<number>(8).fill(0);
  const variance = new Array<number>(8).fill(1);
  const { ids, domainOffsets } = data.train;
  for (const domain of passes) {
    const [begin, end] = [domainOffsets[domain] as number, domainOffsets[domain + 1] as number];
    const columns = [0, 1].flatMap((f) => {
      const table = parameters.get(`tables.${f}.weight`)?.data as Float32Array;
      const rows = [...(ids[f] as Int32Array).subarray(begin, end)];
      return [0, 1, 2, 3].map((c) => rows.map((id) => table[4 * id + c] as number));
    });
    columns.forEach((column, c) => {
      const average = column.reduce((sum, x) => sum + x, 0) / column.length;
      const square = column.reduce((sum, x) => sum + (x - average) ** 2, 0) / column.length;
      mean[c] = 0.9 * (mean[c] as number) + 0.1 * average;
      variance[c] = 0.9 * (variance[c] as number) + 0.1 * square;
    });
  }
  return [mean, variance];
}
const near = (actual: number[][], wanted: number[][]) => {
  wanted.forEach((values, i) => {
    expect(distance(actual[i] as number[], values)).toBeLessThan(1e-6);
  });
};
const whole = { batchSize: 100 };

describe.each(['shared', 'bank'] as const)('a %s norm that is not trained', (kind) => {
  it('lets the gradient through as a layer of constants', async () => {
    const start = await train(kind, function* () {});
    const { model } = await train(
      kind,
      function* () {
        yield { kind: 'run', domain: 0 };
      },
      { trained: ['tables.*'] },
      { optimizer: optim.sgd({ learningRate: 1 }), batchSize: 90 },
    );
    const name = 'tables.0.weight';
    const before = start.model.parameters().get(name)?.data as Float32Array;
    const after = model.parameters().get(name)?.data as Float32Array;
    const lossAt = async (i: number, value: number) => {
      const kept = before[i] as number;
      before[i] = value;
      const { loss } = await evaluate(start.model, data, 'train');
      before[i] = kept;
      return loss.byDomain.d0 as number;
    };
    const places = [...before.keys()].filter((i) => before[i] !== after[i]).slice(0, 12);
    const gradient = places.map((i) => (before[i] as number) - (after[i] as number));
    const measured: number[] = [];
    const h = 0.02;
    for (const i of places) {
      const at = before[i] as number;
      measured.push(((await lossAt(i, at + h)) - (await lossAt(i, at - h))) / (2 * h));
    }
    expect(places).toHaveLength(12);
    expect(distance(gradient, measured)).toBeLessThan(1e-3);
  });
});

describe('running statistics', () => {
  it('follow every batch of a pass, in gradient passes too', async () => {
    const run = await train(
      'shared',
      function* () {
        yield { kind: 'run', domain: 0 };
        yield { kind: 'run', domain: 2 };
      },
      {},
      whole,
    );
    near(statistics(run), expected(run, [0, 2]));
    const gradients = await train(
      'shared',
      function* () {
        yield { kind: 'bufferZero', target: 0 };
        yield { kind: 'run', domain: 1, mode: 'gradient', target: 0, rate: 1 };
        yield { kind: 'bufferApply', target: 0 };
      },
      { gradients: true },
      whole,
    );
    near(statistics(gradients), expected(gradients, [1]));
  });

  it('of a bank are those of the slot at hand alone', async () => {
    const run = await train(
      'bank',
      function* () {
        yield { kind: 'run', domain: 1 };
      },
      {},
      whole,
    );
    const [mean, variance] = statistics(run) as [number[], number[]];
    near([mean.slice(8, 16), variance.slice(8, 16)], expected(run, [1]));
    expect(mean.filter((x) => x !== 0)).toHaveLength(8);
    expect(variance.filter((x) => x !== 1)).toHaveLength(8);
  });

  it('take the place of those of the batch outside of training', async () => {
    const run = await train('shared', function* () {
      yield { kind: 'run', domain: 0 };
    });
    const rows = [
      { user: 'v3', item: 'v4', domain: 'd1' },
      { user: 'v5', item: 'v6', domain: 'd0' },
    ];
    const together = await run.predict(rows);
    for (const [i, row] of rows.entries()) {
      expect((await run.predict([row]))[0]).toBe(together[i]);
    }
    const [mean, variance] = statistics(run) as [number[], number[]];
    const parameters = run.model.parameters();
    const value = (name: string) => parameters.get(name)?.data ?? new Float32Array();
    const x = ['user', 'item'].flatMap((_, f) => [
      ...value(`tables.${f}.weight`).subarray(4 * (3 + f), 4 * (4 + f)),
    ]);
    const weights = value('output.weight');
    const logit = x.reduce((sum, x, c) => {
      const deviation = Math.sqrt((variance[c] as number) + 1e-3);
      return sum + ((weights[c] as number) * (x - (mean[c] as number))) / deviation;
    }, 0);
    expect(together[0]).toBeCloseTo(1 / (1 + Math.exp(-logit)), 5);
  });

  const steps = (...commands: Command[]) =>
    function* () {
      yield* commands;
    };
  it.each(['shared', 'bank'] as const)('(%s) no mark of a strategy moves them', async (kind) => {
    const marked = (...then: Command[]) =>
      train(
        kind,
        steps(
          { kind: 'run', domain: 0 },
          { kind: 'mark', target: 1 },
          { kind: 'run', domain: 1 },
          ...then,
          { kind: 'release', target: 1 },
        ),
        { optimizers: [optim.sgd({ learningRate: 0.5 })] },
      );
    const plain = statistics(await marked());
    for (const command of [
      { kind: 'lerp', target: 1, rate: 0.1 },
      { kind: 'restore', target: 1 },
      { kind: 'outerStep', target: 1, optimizer: 1 },
    ] as const) {
      expect(statistics(await marked(command)), command.kind).toEqual(plain);
    }
  });

  it.each(['shared', 'bank'] as const)(
    '(%s) come back with the best state of a fit and of a domain that stops on its own',
    async (kind) => {
      const noise = optim.sgd({ learningRate: 0.5 });
      const long = await fit(new Normed(data.schema, kind), data, {
        ...options,
        optimizer: noise,
        epochs: 20,
        patience: 20,
        strategy: strategies.alternate(),
      });
      expect(long.bestEpoch).toBeLessThan(19);
      const best = await fit(new Normed(data.schema, kind), data, {
        ...options,
        optimizer: noise,
        epochs: long.bestEpoch + 1,
        patience: 20,
        strategy: strategies.alternate(),
      });
      expect(statistics(long)).toEqual(statistics(best));
      const converge = (passes: number) =>
        train(
          kind,
          steps({ kind: 'converge', domain: 1, other: 1, passes, patience: 9, rate: 10 }),
          {},
          { optimizer: noise },
        );
      // No later pass is better by 10: the first is kept.
      expect(statistics(await converge(5))).toEqual(statistics(await converge(1)));
    },
  );

  it("are of a domain's own where its values are", async () => {
    const overlays = { combine: 'plus', start: 'neutral', specific: ['output.*'] } as const;
    const run = await train(
      'shared',
      steps({ kind: 'run', domain: 2 }, { kind: 'run', domain: 0, overlay: 1 }),
      { overlays },
      whole,
    );
    near(statistics(run), expected(run, [2]));
    const { space } = run.model.compile();
    const own = ['norm.runningMean', 'norm.runningVar'].map((name) => [
      ...space.overlay(1, name).values.subarray(0, 8),
    ]);
    near(own, expected(run, [2, 0]));
    expect(space.overlay(0, 'norm.runningMean').units).toHaveLength(0);
    expect(space.overlay(1, 'norm.weight').units).toHaveLength(0);
  });

  it('have the same bits at any number of threads and survive batches of one row', async () => {
    const ofThreads = async (threads: number) =>
      statistics(
        await fit(new Normed(data.schema, 'bank'), data, {
          ...options,
          optimizer: optim.adam({ learningRate: 1e-2 }),
          batchSize: 1,
          threads,
          strategy: strategies.mamdr({ helpers: 1 }),
        }),
      );
    const one = await ofThreads(1);
    expect(one.flat().every(Number.isFinite)).toBe(true);
    expect(await ofThreads(4)).toEqual(one);
  });
});

describe('a batch norm', () => {
  it('names a wrong option', () => {
    expect(() => new nn.BatchNorm1d(4, { momentum: 1 })).toThrow(ConfigError);
    expect(() => new nn.BankBatchNorm(2, 4, { epsilon: 0 })).toThrow('BankBatchNorm.epsilon: 0; ');
  });

  it('refuses to keep averages in a parameter that is trained', async () => {
    class Wrong extends Normed {
      readonly mean = new nn.Parameter([1]);

      override forward(batch: Batch): Tensor {
        const logits = super.forward(batch);
        const mean = ops.runningAverage(ops.mean(logits, { axis: 0 }), this.mean);
        return ops.sub(logits, mean);
      }
    }
    const training = fit(new Wrong(data.schema, 'shared'), data, {
      ...options,
      strategy: strategies.alternate(),
    });
    await expect(training).rejects.toThrow(/running_average.*not trainable/);
  });
});
