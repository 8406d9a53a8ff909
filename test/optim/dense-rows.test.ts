import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Batch,
  ConfigError,
  Dataset,
  type FitOptions,
  fit,
  Model,
  models,
  nn,
  ops,
  optim,
  type Strategy,
  strategies,
  type Tensor,
} from '../../ts/index.js';
import { errorOf } from '../error-of.js';
import { bitsOf, toyData, toyModel } from '../toy.js';
import { userItemSchema } from '../user-item-schema.js';

interface Fixture {
  batch: number;
  width: number;
  /** Numbers of steps after which a case's ends are. */
  steps: number[];
  outerRate: number;
  /** Steps between two interpolations. */
  round: number;
  users: number;
  items: number;
  start: Record<string, number[]>;
  cases: {
    label: string;
    optimizer: Parameters<typeof optim.adam>[0];
    clipNorm?: number;
    interpolated?: boolean;
    ends: Record<string, number[]>[];
  }[];
}
const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/dense-rows.json', import.meta.url), 'utf8'),
) as Fixture;
const rows = fixture.batch * (fixture.steps.at(-1) as number);

class Additive extends Model {
  readonly user = new nn.Embedding(fixture.users, fixture.width);
  readonly item = new nn.Embedding(fixture.items, fixture.width);
  readonly linear = new nn.Linear(fixture.width, 1);

  forward({ features }: Batch): Tensor {
    const user = this.user.forward(features.user as Tensor);
    return this.linear.forward(ops.add(user, this.item.forward(features.item as Tensor)));
  }
}

/** How often `base` divides a number. */
function power(base: number, number: number): number {
  return number % base === 0 ? 1 + power(base, number / base) : 0;
}

/** The data that test/reference/dense_rows.py describes. */
function data(): Dataset {
  const numbers = Array.from({ length: rows }, (_, i) => i + 1);
  const split = {
    rows,
    domainOffsets: Int32Array.of(0, rows),
    ids: [
      Int32Array.from(numbers, (i) => power(2, i)),
      Int32Array.from(numbers, (i) => power(3, i)),
    ],
    labels: Float32Array.from(numbers, (i) => ((40503 * i) >> 7) & 1),
  };
  return Dataset.of(
    userItemSchema(fixture.users, fixture.items, ['a']),
    [[], []],
    [split, split, split],
  );
}

/** So many steps over the rows as they stand, in one pass or with an interpolation after each round. */
function inOrder(steps: number, interpolated: boolean): Strategy {
  const length = interpolated ? fixture.round : steps;
  return {
    name: 'in order',
    options: {},
    *epoch() {
      for (let step = 0; step < steps; step += length) {
        const order = Int32Array.from(
          { length: rows },
          (_, i) => (step * fixture.batch + i) % rows,
        );
        if (interpolated) yield { kind: 'mark', target: 1 };
        yield { kind: 'run', domain: 0, order, maxSteps: length };
        if (!interpolated) continue;
        yield { kind: 'lerp', target: 1, rate: fixture.outerRate };
        yield { kind: 'release', target: 1 };
      }
    },
  };
}

/** A model that fit trains from the fixture's start, until it ends or is aborted after its first pass. */
async function train(
  optimizer: optim.Optimizer,
  strategy: Strategy,
  options: Partial<FitOptions> = {},
  aborted = false,
): Promise<Additive> {
  const dataset = data();
  const model = new Additive(dataset.schema);
  for (const [name, values] of Object.entries(fixture.start)) {
    model.parameters().get(name)?.data.set(values);
  }
  const controller = new AbortController();
  const reason = new Error('stopped by the test');
  const outcome = await fit(model, dataset, {
    strategy,
    optimizer,
    batchSize: fixture.batch,
    epochs: 1,
    signal: controller.signal,
    onEvent: ({ kind }) => {
      if (aborted && kind === 'progress') controller.abort(reason);
    },
    ...options,
  }).catch((error: unknown) => error);
  if (aborted) expect(outcome).toBe(reason);
  else if (outcome instanceof Error) throw outcome;
  return model;
}

function furthest(model: Additive, end: Record<string, number[]>): number {
  let most = 0;
  for (const [name, values] of Object.entries(end)) {
    const trained = model.parameters().get(name)?.data as Float32Array;
    expect(trained, name).toHaveLength(values.length);
    for (const [i, value] of values.entries()) {
      most = Math.max(most, Math.abs((trained[i] as number) - value));
    }
  }
  return most;
}

describe("rows 'dense' beside torch.optim.Adam", () => {
  const runs = fixture.cases.flatMap((one) =>
    fixture.steps.map((steps, i) => [one.label, steps, one, one.ends[i]] as const),
  );

  it.each(runs)('%s, %i steps', async (_, steps, one, end) => {
    const { clipNorm, interpolated = false } = one;
    const optimizer = optim.adam({ ...one.optimizer, rows: 'dense' });
    const model = await train(optimizer, inOrder(steps, interpolated), {
      ...(clipNorm && { clipNorm }),
    });
    expect(furthest(model, end as Record<string, number[]>)).toBeLessThanOrEqual(1e-5);
    model.dispose();
  });

  it('as it stands, aborted before anything is validated', async () => {
    const [one] = fixture.cases;
    const steps = fixture.steps[1] as number;
    const optimizer = optim.adam({ ...one?.optimizer, rows: 'dense' });
    const model = await train(optimizer, inOrder(steps, false), {}, true);
    expect(furthest(model, one?.ends[1] as Record<string, number[]>)).toBeLessThanOrEqual(1e-5);
    model.dispose();
  });

  it('are no lazy rows', async () => {
    const [one] = fixture.cases;
    const steps = fixture.steps[1] as number;
    const model = await train(optim.adam(one?.optimizer), inOrder(steps, false));
    expect(furthest(model, one?.ends[1] as Record<string, number[]>)).toBeGreaterThan(1e-3);
    model.dispose();
  });
});

it("rows 'dense' leave a domain's slot of banks alone while others are trained", async () => {
  const towersAfter = async (...passes: number[]) => {
    const dataset = toyData();
    const { schema } = dataset;
    const model = models.sharedBottom({
      schema,
      embeddingDim: 4,
      hidden: [6],
      tower: [5],
      seed: 3,
    });
    const strategy: Strategy = {
      name: 'given',
      options: {},
      *epoch() {
        for (const domain of passes) yield { kind: 'run', domain };
      },
    };
    const optimizer = optim.adam({ rows: 'dense' });
    await fit(model, dataset, { strategy, optimizer, epochs: 1 });
    const towers = [...model.parameters()].filter(([name]) => /^towers.*weight/.test(name));
    expect(towers.length).toBeGreaterThan(0);
    const slots = towers.map(([, { data, shape }]) => {
      const size = data.length / (shape[0] as number);
      return [0, 1].map((slot) => [...data.subarray(slot * size, (slot + 1) * size)]);
    });
    model.dispose();
    return { of0: slots.map(([slot]) => slot), of1: slots.map(([, slot]) => slot) };
  };
  const one = await towersAfter(1);
  const both = await towersAfter(1, 0);
  expect(both.of1).toEqual(one.of1);
  expect(both.of0).not.toEqual(one.of0);
});

describe("rows 'dense' are the same bits", () => {
  const optimizer = optim.adam({ learningRate: 1e-2, rows: 'dense' });
  const all: readonly (readonly [string, FitOptions['strategy'], Partial<FitOptions>])[] = [
    ['alternate', strategies.alternate(), {}],
    ['joint', strategies.joint(), {}],
    ['joint, clipped', strategies.joint(), { clipNorm: 0.1 }],
    ['dn', strategies.dn(), {}],
    ['dn, outer optimizer', strategies.dn({ outerOptimizer: optimizer }), {}],
    ['pcgrad', strategies.pcgrad({ helpers: 1 }), {}],
    ['maml', strategies.maml({ outerOptimizer: optimizer }), {}],
    ['finetune', strategies.alternate(), { finetune: { epochs: 3 } }],
    ['d-train', strategies.dTrain(), {}],
    ['validation after passes', strategies.alternate(), { validationPasses: 1 }],
  ];

  const outcome = async (strategy: FitOptions['strategy'], options: Partial<FitOptions>) => {
    const dataset = toyData([70, 40, 20]);
    const model = toyModel(dataset);
    const { metrics, history } = await fit(model, dataset, {
      strategy,
      optimizer,
      batchSize: 8,
      epochs: 3,
      seed: 5,
      ...options,
    });
    return { bits: bitsOf(model), metrics, history };
  };

  it.each(all)('with any number of threads: %s', async (_, strategy, options) => {
    const one = await outcome(strategy, { ...options, threads: 1 });
    expect(await outcome(strategy, { ...options, threads: 3 })).toEqual(one);
  });

  it.each(all)('stopped again and again, and resumed: %s', async (_, strategy, options) => {
    const folder = await mkdtemp(join(tmpdir(), 'polydomain-dense-rows-'));
    try {
      const whole = await outcome(strategy, options);
      let stops = 0;
      for (;;) {
        const controller = new AbortController();
        const reason = new Error('stopped by the test');
        let progress = 0;
        const result = await outcome(strategy, {
          ...options,
          runFolder: join(folder, 'run'),
          resume: stops > 0,
          signal: controller.signal,
          onEvent: ({ kind }) => {
            if (kind === 'progress' && ++progress === 2 + 2 * stops) controller.abort(reason);
          },
        }).catch((error: unknown) => error);
        if (result !== reason) {
          expect(result).toEqual(whole);
          break;
        }
        stops++;
      }
      expect(stops).toBeGreaterThan(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("rows 'dense' are refused", () => {
  it('with decay', () => {
    expect(() => optim.adam({ rows: 'dense', weightDecay: 0.1 })).toThrow(ConfigError);
    expect(() => optim.adam({ rows: 'dense', weightDecay: 0.1 })).toThrow(
      /weightDecay: 0.1; .*decay/,
    );
    expect(() => optim.adamw({ rows: 'dense' })).toThrow(/adamw.weightDecay: .*expected 0 .*decay/);
    expect(optim.adamw({ rows: 'dense', weightDecay: 0 })).toMatchObject({ rows: 'dense' });
  });

  it('with momentum that outlives the second moment', () => {
    expect(() => optim.adam({ rows: 'dense', beta1: 0.9, beta2: 0.8 })).toThrow(
      /beta1: 0.9; .*beta2/,
    );
  });

  const dense = optim.adam({ rows: 'dense' });
  const refusal = async (options: Partial<FitOptions>, l2 = 0): Promise<Error> => {
    const dataset = toyData();
    const model = models.mlp({ schema: dataset.schema, embeddingDim: 4, hidden: [4], l2 });
    const error = await errorOf(() =>
      fit(model, dataset, { optimizer: dense, strategy: strategies.alternate(), ...options }),
    );
    model.dispose();
    return error;
  };

  it('with L2 on a table', async () => {
    const error = await refusal({}, 1e-3);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/rows: 'dense' with an l2 of 0.001.* on '.*weight'/);
  });

  it.each([
    ['separate', { strategy: strategies.separate() }],
    ['dr', { strategy: strategies.dr() }],
    ['mamdr', { strategy: strategies.mamdr() }],
  ])('on own values of domains: %s', async (name, options) => {
    const error = await refusal(options);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(`'dense' with strategy '${name}'`);
  });
});
