import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type Batch,
  BusyError,
  ConfigError,
  Dataset,
  type FitOptions,
  type FitResult,
  fit,
  load,
  Model,
  models,
  nn,
  ops,
  optim,
  type Schema,
  strategies,
  type Tensor,
} from '../../ts/index.js';
import { distance } from '../distance.js';
import { temporaryFolder } from '../folder.js';
import { dataOf, makers, trainingOptions as options } from '../purchases.js';
import { bitsOf } from '../toy.js';

const inFolder = temporaryFolder();

describe('a model whose ids come and go', () => {
  interface Fixture {
    dim: number;
    steps: number;
    rate: number;
    fresh: number;
    unseenFor: number;
    start: Record<string, number[]>;
    sets: { user: string[]; item: string[]; label: number[] }[];
    /** By how rows without a gradient step, and data set. */
    results: Record<'lazy' | 'dense', Result[]>;
  }
  interface Result {
    dense: Record<string, number[]>;
    rows: Record<'user' | 'item', Record<string, number[]>>;
  }
  const fixture = JSON.parse(
    readFileSync(new URL('../fixtures/growth.json', import.meta.url), 'utf8'),
  ) as Fixture;

  class Small extends Model {
    readonly tables: Map<string, nn.Embedding>;
    readonly hidden: nn.Linear;
    readonly output: nn.Linear;

    constructor(schema: Schema) {
      super(schema);
      const { dim, fresh } = fixture;
      const sizes = schema.features.map((one) => [one.name, 'size' in one ? one.size : 0] as const);
      this.tables = new Map(
        sizes.map(([name, size]) => [
          name,
          new nn.Embedding(size, dim, { initializer: { kind: 'constant', a: fresh, b: 0 } }),
        ]),
      );
      this.hidden = new nn.Linear(2 * dim, 4);
      this.output = new nn.Linear(4, 1, { bias: false });
    }

    forward({ features }: Batch): Tensor {
      const fields = [...this.tables].map(([name, table]) =>
        table.forward(features[name] as Tensor),
      );
      return this.output.forward(ops.relu(this.hidden.forward(ops.concat(fields))));
    }
  }

  it.each([
    ['SparseAdam', 'lazy'],
    ['Adam', 'dense'],
  ] as const)("makes the steps of PyTorch's %s on tables that grow and shrink", async (_, kind) => {
    const { dim, sets, rate, steps, start, results, unseenFor } = fixture;
    let run: FitResult | undefined;
    for (const [number, { user, item, label }] of sets.entries()) {
      const fresh = Dataset.from(
        { user, item, label, shop: user.map(() => 'one'), part: user.map(() => 'train') },
        { domain: 'shop', label: 'label', features: ['user', 'item'], split: { column: 'part' } },
      );
      const data = run ? fresh.continuing(run.vocabulary, { unseenFor }) : fresh;
      const model = new Small(data.schema);
      if (!run) {
        for (const [name, values] of Object.entries(start)) {
          model.parameters().get(name)?.data.set(values);
        }
      }
      run = await fit(model, data, {
        strategy: strategies.alternate(),
        optimizer: optim.adam({ learningRate: rate, rows: kind }),
        // Each epoch is a step; the last one's state is the only one that is validated.
        batchSize: 1000,
        epochs: steps,
        validateEvery: steps,
        keepOptimizer: true,
        ...(run && { from: run, inPlace: true }),
      });
      const parameters = model.parameters();
      const { dense, rows } = results[kind][number] as Result;
      for (const [name, values] of Object.entries(dense)) {
        expect(distance(parameters.get(name)?.data as Float32Array, values)).toBeLessThan(1e-5);
      }
      for (const [f, name] of (['user', 'item'] as const).entries()) {
        const table = parameters.get(`tables.${name}.weight`)?.data as Float32Array;
        const expected = Object.entries(rows[name]);
        expect(table.length).toBe(dim * (1 + expected.length));
        expect([...data.vocabulary.valuesOf(f)].sort()).toEqual(Object.keys(rows[name]).sort());
        for (const [value, row] of expected) {
          const id = data.vocabulary.encode(f, value);
          expect(id).toBeGreaterThan(0);
          expect(distance(table.subarray(dim * id, dim * (id + 1)), row)).toBeLessThan(1e-5);
        }
      }
    }
  });
});

const old = ['aa', 'b'];
// A new domain before and after the others, by name.
const grown = ['a', 'aa', 'b', 'zzz'];
const samples = Array.from({ length: 17 }, (_, item) => ({ user: (item * 3) % 23, item }));

/** Shared values and each domain's own ones. */
function stateOf(run: FitResult): unknown {
  const { space } = run.model.compile();
  const own = run.vocabulary.schema.domains.map((_, domain) =>
    [...run.model.parameters().keys()].map((name) => space.overlay(domain, name)),
  );
  return [bitsOf(run.model), own];
}

describe.each(Object.entries(makers))('fit of %s in place', (_, make) => {
  it.each([
    ['that grow', 12, 40, undefined],
    ['whose rows are used again', 12, 30, { unseenFor: 1 }],
    ['that shrink', 19, 6, { unseenFor: 1 }],
  ] as const)('has the bits of a fit from copies, on tables %s', async (_, first, users, evict) => {
    const before = dataOf(old);
    const start = () => fit(make(before), before, options);
    const copied = await start();
    const data = dataOf(grown, first, users).continuing(copied.vocabulary, evict);
    expect(data.schema.domains).toEqual(['aa', 'b', 'a', 'zzz']);
    const rows = data.vocabulary.valuesOf(0).length;
    expect(rows).toBe(evict ? users : users + first);
    const moved = await start();
    const byCopy = await fit(make(data), data, { ...options, from: copied });
    const inPlace = await fit(make(data), data, { ...options, from: moved, inPlace: true });
    expect(stateOf(inPlace)).toEqual(stateOf(byCopy));
    expect(inPlace.metrics).toEqual(byCopy.metrics);
    expect(() => moved.model.parameters()).toThrow(BusyError);
    expect(() => moved.forDomain('b').predictSync({ user: 3, item: 3 })).toThrow(BusyError);
    expect(copied.model.parameters().size).toBeGreaterThan(0);
  });

  it('is saved and served, and evicted ids are unknown', async () => {
    const before = dataOf(old);
    const first = await fit(make(before), before, options);
    const data = dataOf(grown, 19, 6).continuing(first.vocabulary, { unseenFor: 1 });
    const run = await fit(make(data), data, { ...options, from: first, inPlace: true });
    await run.save(inFolder('run'));
    const loaded = await load(inFolder('run'));
    for (const domain of grown) {
      const scores = await run.forDomain(domain).predict(samples);
      expect(await loaded.forDomain(domain).predict(samples)).toEqual(scores);
    }
    const scorer = loaded.forDomain('b');
    const [gone, unknown, known] = [0, 'never', 20].map((user) =>
      scorer.predictSync({ user, item: 3 }),
    );
    expect(gone).toBe(unknown);
    expect(known).not.toBe(unknown);
    // What the run folder holds goes on as the vocabulary in memory does.
    const next = dataOf(grown, 22, 9);
    expect(next.continuing(loaded.vocabulary, { unseenFor: 2 }).vocabulary.values).toEqual(
      next.continuing(run.vocabulary, { unseenFor: 2 }).vocabulary.values,
    );
    const again = next.continuing(loaded.vocabulary);
    const on = await fit(make(again), again, { ...options, from: loaded, inPlace: true });
    expect(on.vocabulary.schema.domains).toEqual(data.schema.domains);
  });

  it('is resumed bit for bit, with the optimizer that went on', async () => {
    const before = dataOf(old);
    const data = dataOf(grown, 12, 30).continuing(before.vocabulary, { unseenFor: 1 });
    const outcome = async (more: Partial<FitOptions>) => {
      const first = await fit(make(before), before, { ...options, keepOptimizer: true });
      const again = { ...options, epochs: 3, ...more };
      return stateOf(await fit(make(data), data, { ...again, from: first, inPlace: true }));
    };
    const whole = await outcome({});
    const fresh = await fit(make(before), before, options);
    const forgetful = { ...options, epochs: 3, from: fresh, inPlace: true };
    expect(stateOf(await fit(make(data), data, forgetful))).not.toEqual(whole);
    const runFolder = inFolder('run');
    const controller = new AbortController();
    let events = 0;
    await expect(
      outcome({
        runFolder,
        signal: controller.signal,
        onEvent: ({ kind }) => {
          if (kind === 'progress' && ++events === 2) controller.abort(new Error('stopped'));
        },
      }),
    ).rejects.toThrow('stopped');
    expect(await outcome({ runFolder, resume: true })).toEqual(whole);
  });
});

describe('fit in place', () => {
  it('refuses what it cannot take over, and leaves it as it was', async () => {
    const before = dataOf(old);
    const first = await fit(makers.mlp(before), before, { ...options, keepOptimizer: true });
    const data = dataOf(grown, 12).continuing(first.vocabulary);
    const model = makers.mlp(data);
    const state = stateOf(first);
    const refuses = async (
      own: Model,
      rows: Dataset,
      more: Partial<FitOptions>,
      message: RegExp,
    ): Promise<void> => {
      const attempt = fit(own, rows, { ...options, from: first, inPlace: true, ...more });
      const error = await attempt.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(ConfigError);
      expect(String(error)).toMatch(message);
    };
    await refuses(model, data, { from: undefined }, /inPlace: expected a result of fit or load/);
    await refuses(model, data, { from: inFolder() }, /inPlace: expected a result of fit or load/);
    await refuses(makers.mlp(data, 2), data, {}, /seed is 2; expected 1/);
    const other = dataOf(grown);
    await refuses(makers.mlp(other), other, {}, /domains are others; .*continuing/);
    const wide = models.mlp({ schema: data.schema, embeddingDim: 5, hidden: [8], seed: 1 });
    await refuses(
      wide,
      data,
      {},
      /'embedding.user.weight' is a table \[36,5\].*; expected a table \[24,4\]/,
    );
    await refuses(
      makers.mmoe(data),
      data,
      {},
      /one of the models alone has 'experts.0.layers.0.weight'/,
    );
    await refuses(
      first.model,
      before,
      {},
      /the model is that of fit.from; expected one of the new data/,
    );
    await refuses(
      model,
      data,
      { keepOptimizer: true, finetune: {} },
      /keepOptimizer: with 2 stages/,
    );
    expect(stateOf(first)).toEqual(state);
    const optimizer = optim.sgd();
    await refuses(model, data, { optimizer }, /cannot go on from the state of another kind/);
  });

  it('refuses to take over a model that predicts, and leaves it as it was', async () => {
    const data = dataOf(old);
    const first = await fit(makers.mlp(data), data, options);
    const rows = Array.from({ length: 20_000 }, (_, item) => ({ user: 3, item: item % 17 }));
    const scores = first.forDomain('b').predict(rows);
    const again = fit(makers.mlp(data), data, { ...options, from: first, inPlace: true });
    await expect(again).rejects.toThrow(BusyError);
    expect(await first.forDomain('b').predict(rows)).toEqual(await scores);
    await fit(makers.mlp(data), data, { ...options, from: first, inPlace: true });
  });

  it('has the other model on lease while its rows move', async () => {
    const before = dataOf(old);
    const first = await fit(makers.mlp(before), before, options);
    const data = dataOf(grown, 12).continuing(first.vocabulary);
    const running = fit(makers.mlp(data), data, { ...options, from: first, inPlace: true });
    // Up to where it waits for other threads, whose word comes in a later turn of the event loop.
    for (let i = 0; i < 100; i++) await Promise.resolve();
    expect(() => first.model.parameters()).toThrow(/being trained/);
    expect(() => first.forDomain('b').predictSync({ user: 3, item: 3 })).toThrow(BusyError);
    expect(() => first.model.dispose()).toThrow(BusyError);
    const run = await running;
    expect(run.forDomain('b').predictSync({ user: 3, item: 3 })).toBeGreaterThan(0);
    expect(() => first.model.parameters()).toThrow(/after it was disposed/);
  });

  it('trains on data that lacks a domain, which is served on', async () => {
    const before = dataOf(old);
    const first = await fit(makers.mlp(before), before, options);
    const data = dataOf(['aa', 'zzz']).continuing(first.vocabulary);
    await data.save(inFolder('data'));
    const opened = await Dataset.open(inFolder('data'));
    expect([...opened.train.domainOffsets]).toEqual([0, 72, 72, 144]);
    const run = await fit(makers.mlp(opened), opened, { ...options, from: first, inPlace: true });
    const [score, other] = ['b', 'zzz'].map((domain) =>
      run.forDomain(domain).predictSync({ user: 3, item: 3 }),
    );
    expect(score).toBeGreaterThan(0);
    expect(score).not.toBe(other);
  });

  it('finds the rows of many ids in pieces between which others have their turn', async () => {
    const count = 200_000;
    const of = (values: readonly string[]) => {
      const part = {
        ...{ rows: 4, domainOffsets: Int32Array.of(0, 4), labels: Float32Array.of(0, 1, 0, 1) },
        ids: [Int32Array.of(1, 2, 3, count)],
      };
      const features = [{ name: 'item', kind: 'categorical', size: count + 1 }] as const;
      const schema = { label: 'label', domain: 'shop', features, domains: ['one'] };
      return Dataset.of(schema, [values], [part, part, part]);
    };
    const modelOf = ({ schema }: Dataset) => models.mlp({ schema, embeddingDim: 1, hidden: [2] });
    const values = Array.from({ length: count }, (_, i) => `v${i}`);
    const [before, now] = [of(values), of(values.toReversed())];
    const settings = { ...options, strategy: strategies.alternate(), epochs: 1 };
    const start = await fit(modelOf(before), before, settings);
    const table = start.model.parameters().get('embedding.item.weight')?.data.slice();
    for (const inPlace of [false, true]) {
      let turns = 0;
      const timer = setInterval(() => turns++);
      // Steps too small to change a value.
      const run = await fit(modelOf(now), now, {
        ...settings,
        optimizer: optim.sgd({ learningRate: 1e-30 }),
        from: start,
        inPlace,
      });
      clearInterval(timer);
      expect(turns).toBeGreaterThan(5);
      const rows = run.model.parameters().get('embedding.item.weight')?.data;
      expect(rows?.slice(1)).toEqual(table?.slice(1).reverse());
    }
  });

  it('gives a strategy of other optimizers none of them', async () => {
    const before = dataOf(old);
    const strategy = strategies.alternate();
    const first = await fit(makers.mlp(before), before, {
      ...options,
      strategy,
      keepOptimizer: true,
    });
    const data = dataOf(old, 3).continuing(first.vocabulary);
    const outer = strategies.mamdr({ helpers: 1, outerOptimizer: optim.adagrad() });
    await expect(
      fit(makers.mlp(data), data, { ...options, strategy: outer, from: first, inPlace: true }),
    ).rejects.toThrow(/its 1 optimizers; expected the 3 of strategy 'mamdr'/);
  });
});
