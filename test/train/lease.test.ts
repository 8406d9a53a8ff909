import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BusyError,
  ConfigError,
  DataError,
  Dataset,
  evaluate,
  type FitOptions,
  fit,
  metrics,
  ops,
  optim,
  ShapeError,
  type Strategy,
  scope,
  strategies,
  Tensor,
} from '../../ts/index.js';
import { bitsOf, toyData, toyModel } from '../toy.js';

const options: FitOptions = {
  strategy: strategies.mamdr({ helpers: 1 }),
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 2,
  seed: 5,
};
const row = { user: 'v3', item: 'v7' };

describe('a model in training', () => {
  it('is used by nobody else until fit has ended, and fit goes on undisturbed', async () => {
    const data = toyData();
    const whole = await fit(toyModel(data), data, options);
    const model = toyModel(data);
    const refused: unknown[] = [];
    const attempt = (body: () => unknown): void => {
      try {
        void Promise.resolve(body()).catch((error: unknown) => refused.push(error));
      } catch (error) {
        refused.push(error);
      }
    };
    const run = await fit(model, data, {
      ...options,
      onEvent({ kind }) {
        if (kind !== 'progress' && kind !== 'epoch') return;
        attempt(() => model.parameters());
        attempt(() => evaluate(model, data));
        attempt(() => model.dispose());
        attempt(() => fit(model, data, options));
      },
    });
    expect(refused.length).toBeGreaterThan(8);
    for (const error of refused) expect(error).toBeInstanceOf(BusyError);
    expect(run.metrics).toEqual(whole.metrics);
    expect(bitsOf(model)).toBe(bitsOf(whole.model as typeof model));
    expect(run.forDomain('d1').predictSync(row)).toBe(whole.forDomain('d1').predictSync(row));
  });

  it('is free again when fit has failed', async () => {
    const data = toyData();
    const model = toyModel(data);
    const wrong = strategies.mamdr({ helpers: 9 });
    await expect(fit(model, data, { ...options, strategy: wrong })).rejects.toThrow(ConfigError);
    await fit(model, data, options);
    expect(model.parameters().size).toBeGreaterThan(0);
  });

  it('throws BusyError once it is disposed, in place of an untrained score', async () => {
    const data = toyData();
    const run = await fit(toyModel(data), data, options);
    run.model.dispose();
    expect(() => run.forDomain('d1').predictSync(row)).toThrow(BusyError);
    await expect(run.forDomain('d1').predict([row])).rejects.toThrow(BusyError);
  });
});

describe('a second fit', () => {
  it('drops own values of another kind, so that scores are those of its strategy', async () => {
    const data = toyData();
    const model = toyModel(data);
    await fit(model, data, options);
    for (const strategy of [strategies.separate(), strategies.alternate(), strategies.mamdr()]) {
      const run = await fit(model, data, { ...options, strategy, epochs: 1 });
      expect(await evaluate(model, data, 'test')).toEqual(run.metrics.test);
    }
    const run = await fit(model, data, {
      ...options,
      strategy: strategies.alternate(),
      finetune: { epochs: 1 },
    });
    expect(await evaluate(model, data, 'test')).toEqual(run.metrics.test);
  });

  it('is refused in a folder with a model of another run', async () => {
    const data = toyData();
    const parent = await mkdtemp(join(tmpdir(), 'polydomain-'));
    const runFolder = join(parent, 'run');
    try {
      const run = await fit(toyModel(data), data, options);
      await run.save(runFolder);
      await expect(
        fit(toyModel(data), data, { ...options, runFolder, resume: true }),
      ).rejects.toThrow(/a model without a checkpoint/);
    } finally {
      await rm(parent, { recursive: true });
    }
  });
});

describe("commands of a user's own strategy", () => {
  const only = (command: object): Strategy => ({
    name: 'own',
    options: {},
    *epoch() {
      yield command as never;
    },
  });

  it.each([
    [{ kind: 'lerp', target: 1 }, /command 'lerp': rate is missing/],
    [{ kind: 'run' }, /expected one of domain, mixed and blocks/],
    [{ kind: 'run', domain: 2 ** 32 + 1 }, /domain 4294967297; expected an integer from 0/],
    [{ kind: 'run', domain: 0, maxSteps: -1 }, /maxSteps -1/],
    [{ kind: 'run', domain: 0, maxStep: 1 }, /unknown field 'maxStep'; did you mean 'maxSteps'/],
    [{ kind: 'run', domain: 0, mode: 'gradient', target: 1 }, /rate is missing/],
    [{ kind: 'run', domain: 0, shareTo: 1.5 }, /shareTo 1.5; expected a number from 0 to 1/],
    [{ kind: 'run', domain: 0, shareFrom: Number.NaN }, /shareFrom NaN/],
    [{ kind: 'run', domain: 0, order: [0, 1] }, /order; expected an Int32Array/],
    [{ kind: 'run', domain: 0, order: new Int32Array() }, /order; expected an Int32Array of one/],
    [{ kind: 'mark', target: -1 }, /target -1/],
    [{ kind: 'walk' }, /unknown; did you mean/],
  ])('%o are checked', async (command, message) => {
    const data = toyData();
    const training = fit(toyModel(data), data, { ...options, strategy: only(command) });
    await expect(training).rejects.toThrow(ConfigError);
    await expect(
      fit(toyModel(data), data, { ...options, strategy: only(command) }),
    ).rejects.toThrow(message);
  });

  it('may name parameters by patterns', async () => {
    const data = toyData();
    const model = toyModel(data);
    const start = toyModel(data).parameters();
    const strategy: Strategy = {
      name: 'frozen-tables',
      options: {},
      *epoch({ select }) {
        yield { kind: 'mark', target: 1 };
        yield { kind: 'run', domain: 0 };
        yield { kind: 'restore', target: 1, selection: select(['embedding.*']) };
        yield { kind: 'release', target: 1 };
      },
    };
    await fit(model, data, { ...options, epochs: 1, strategy });
    for (const [name, { data: values }] of model.parameters()) {
      const same = values.every((value, i) => value === start.get(name)?.data[i]);
      expect(same, name).toBe(name.startsWith('embedding.'));
    }
  });
});

describe('what is not what it should be', () => {
  it.each([
    [{ optimizer: { name: 'adam', learningRate: -1 } }, /fit\.optimizer\.learningRate: -1/],
    [{ strategy: undefined }, /fit\.strategy: missing/],
  ])('%o is told', async (wrong, message) => {
    const data = toyData();
    const all = { ...options, ...wrong } as unknown as FitOptions;
    await expect(fit(toyModel(data), data, all)).rejects.toThrow(message);
  });

  it('arrays of another type are refused, not read as if they were right', () => {
    const scores = Float64Array.of(0.1, 0.9) as unknown as Float32Array;
    expect(() => metrics.auc(scores, Float32Array.of(0, 1))).toThrow(ShapeError);
    const { schema, vocabulary, train } = toyData();
    const wrong = { ...train, domainOffsets: [...train.domainOffsets] as unknown as Int32Array };
    expect(() => Dataset.of(schema, vocabulary.values, [wrong, train, train])).toThrow(DataError);
  });
});

describe('two scopes at a time', () => {
  it('free their own tensors only', async () => {
    const x = Tensor.from(Float32Array.of(1, 2));
    const wait = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));
    const task = (milliseconds: number) =>
      scope(async () => {
        const doubled = ops.add(x, x);
        await wait(milliseconds);
        const sum = ops.sum(doubled).item();
        await wait(milliseconds);
        return sum + ops.sum(doubled).item();
      });
    const free = (async () => {
      const mine = ops.mul(x, x);
      await wait(12);
      return ops.sum(mine).item();
    })();
    expect(await Promise.all([task(2), task(5), free])).toEqual([12, 12, 5]);
  });
});
