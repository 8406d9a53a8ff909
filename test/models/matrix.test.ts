import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  DataError,
  evaluate,
  type FitOptions,
  fit,
  load,
  optim,
  strategies,
  type Tensor,
} from '../../ts/index.js';
import { type ModelMaker, modelConfig, modelMakers, modelOf } from '../../ts/models/registry.js';
import type { Model } from '../../ts/nn/index.js';
import { toyData } from '../toy.js';

const small = { embeddingDim: 4, dropout: 0.1 };
/** Every model, with sizes for a test. */
const sizes: Record<string, Record<string, unknown>> = {
  mlp: { ...small, hidden: [8] },
  wdl: { ...small, hidden: [8] },
  // Its inputs are so small that so few relus may all die.
  nfm: { ...small, hidden: [8], activation: 'tanh' },
  deepfm: { ...small, hidden: [8] },
  autoint: { ...small, hidden: [8], layers: 2, heads: 2, headDim: 3 },
  ccpm: {
    ...small,
    hidden: [8],
    convolutions: [
      { width: 2, filters: 3 },
      { width: 3, filters: 2 },
    ],
  },
  pnn: { ...small, hidden: [8] },
  'shared-bottom': { ...small, hidden: [8], tower: [4] },
  moe: { ...small, hidden: [8], experts: 3, tower: [4] },
  mmoe: { ...small, hidden: [8], experts: 3, gate: [4], tower: [4] },
  pepnet: { ...small, hidden: [8], gate: 4 },
  star: { embeddingDim: 4, hidden: [8, 6], auxiliary: true, auxiliaryDim: 6 },
  adasparse: { ...small, hidden: [8], alpha: 5, beta: 2, epsilon: 0.25, sparsity: [0.1, 0.2] },
  ple: {
    ...small,
    hidden: [8],
    specificExperts: 2,
    sharedExperts: 1,
    gate: [4],
    tower: [4],
    levels: 2,
  },
};
const multiHead = ['shared-bottom', 'moe', 'mmoe', 'ple', 'star'];

const outer = { outerOptimizer: optim.adam({ learningRate: 1e-2 }) };
const frameworks: Record<string, [FitOptions['strategy'], Partial<FitOptions>]> = {
  alternate: [strategies.alternate(), {}],
  'alternate, then finetune': [
    strategies.alternate(),
    { finetune: { epochs: 2, learningRate: 0.5 } },
  ],
  joint: [strategies.joint(), {}],
  'joint, balanced, clipped': [strategies.joint({ balanced: true }), { clipNorm: 0.5 }],
  separate: [strategies.separate(), {}],
  'weighted-loss': [strategies.weightedLoss(), {}],
  pcgrad: [strategies.pcgrad({ helpers: 1 }), {}],
  maml: [strategies.maml(outer), {}],
  reptile: [strategies.reptile({ outerRate: 0.5 }), {}],
  mldg: [strategies.mldg(outer), {}],
  dn: [strategies.dn({ outerRate: 0.5 }), {}],
  dr: [strategies.dr({ helpers: 1 }), {}],
  mamdr: [strategies.mamdr({ helpers: 1, outerRate: 0.5 }), {}],
  'd-train': [strategies.dTrain(), {}],
};

const data = toyData([120, 80, 40]);
const make = (name: string): Model =>
  modelOf(modelConfig.parse({ name, ...sizes[name] }), { schema: data.schema, seed: 1 });
const options = {
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 2,
  seed: 4,
} as const;

/** Frameworks that leave the shared values alone, and those that give every domain values of its own. */
const untouched = ['separate'];
const specific = ['alternate, then finetune', 'separate', 'dr', 'mamdr'];

/** All values by parameter, shared ones and the domains' own. */
function stateOf(model: Model): Map<string, { shared: Float32Array; own: string[] }> {
  const { space } = model.compile();
  const ownOf = (name: string, domain: number): string => {
    const { units, values } = space.overlay(domain, name);
    expect(values.every(Number.isFinite), name).toBe(true);
    return units.length > 0 ? `${units}: ${values}` : '';
  };
  return new Map(
    [...model.parameters()].map(([name, tensor]) => [
      name,
      { shared: tensor.data.slice(), own: data.schema.domains.map((_, d) => ownOf(name, d)) },
    ]),
  );
}

it('has sizes for every model', () => {
  expect(Object.keys(sizes).sort()).toEqual(Object.keys(modelMakers).sort());
});

describe.each(Object.keys(sizes))('%s', (name) => {
  const { schema } = data;
  const build = modelMakers[name] as ModelMaker;

  it.each(Object.entries(frameworks))('is trained by %s', async (framework, [strategy, extra]) => {
    const model = make(name);
    const before = stateOf(model);
    const { loss } = await evaluate(model, data, 'train');
    const { metrics } = await fit(model, data, { ...options, epochs: 8, ...extra, strategy });
    expect(metrics.train.loss.mean).toBeLessThan(Number(loss.mean));
    const slots = new Set(model.banks);
    for (const [parameter, { shared, own }] of stateOf(model)) {
      const old = before.get(parameter)?.shared;
      expect(shared.every(Number.isFinite), parameter).toBe(true);
      // Split heads and the weights of losses were not there before.
      if (untouched.includes(framework)) expect(shared, parameter).toEqual(old);
      else expect(shared, parameter).not.toEqual(old);
      if (specific.includes(framework)) {
        expect(own, parameter).not.toContain('');
        expect(new Set(own).size, parameter).toBe(own.length);
      } else {
        expect(own.join(''), parameter).toBe('');
      }
      if (!slots.has(parameter) || untouched.includes(framework)) continue;
      const size = shared.length / data.schema.domains.length;
      const ends = data.schema.domains.map(
        (_, d) => `${shared.subarray(d * size, (d + 1) * size)}`,
      );
      expect(new Set(ends).size, parameter).toBe(ends.length);
    }
  });

  it('has its backbone untouched by the fine-tune phase of d-train', async () => {
    const extra = { ...options, epochs: 3 };
    const before = make(name);
    const strategy = strategies.dTrain({ fineTune: false });
    const { metrics } = await fit(before, data, { ...extra, strategy });
    const after = make(name);
    const tuned = await fit(after, data, { ...extra, strategy: strategies.dTrain() });
    expect(tuned.metrics.stages.map((stage) => stage.name)).toEqual(['pre-train', 'post-train']);
    expect(tuned.metrics.stages[1]?.test).toEqual(metrics.test);
    const heads = new Set(after.splitHeads());
    const old = stateOf(before);
    for (const [key, values] of stateOf(after)) {
      if (!heads.has(key)) expect(values, key).toEqual(old.get(key));
      else expect(values.shared, key).not.toEqual(old.get(key)?.shared);
    }
    for (const head of heads) {
      const { data: all, shape } = after.parameters().get(head) as Tensor<'float32'>;
      const size = shape[1] as number;
      const slots = data.schema.domains.map((_, d) => `${all.subarray(d * size, (d + 1) * size)}`);
      expect(new Set(slots).size, head).toBe(slots.length);
    }
  });

  it('has as large a graph for any number of domains', () => {
    const domains = Array.from({ length: 50 }, (_, d) => `d${d}`);
    const many = build({ ...sizes[name], schema: { ...schema, domains } }) as Model;
    expect(many.compile().graph.size).toBe(make(name).compile().graph.size);
  });

  it.each(['alternate', 'mamdr'])('learns with %s', async (framework) => {
    const [strategy] = frameworks[framework] as [FitOptions['strategy'], object];
    const run = await fit(make(name), data, { ...options, epochs: 15, strategy });
    const losses = run.history.map(({ loss }) => loss) as [number, number, ...number[]];
    expect(losses[1]).toBeLessThan(losses[0]);
    expect(losses.at(-1)).toBeLessThan(losses[1]);
    expect(run.metrics.train.auc.mean).toBeGreaterThan(0.6);
  });

  it.each([...Object.keys(sizes[name] ?? {}), 'l2'])('names a wrong %s', (key) => {
    const making = () => build({ ...sizes[name], schema, [key]: -1 });
    expect(making).toThrow(ConfigError);
    expect(making).toThrow(`${name}.${key}: -1; `);
  });

  it('names an option that it does not know, and the nearest that it does', () => {
    const making = () => build({ ...sizes[name], schema, hiden: [8] });
    expect(making).toThrow(ConfigError);
    expect(making).toThrow(/unknown key 'hiden'.*'hidden'/);
  });

  it("refuses a feature named 'domain'", () => {
    const [feature] = schema.features as [(typeof schema.features)[0]];
    const features = [{ ...feature, name: 'domain' }];
    const making = () => build({ ...sizes[name], schema: { ...schema, features } });
    expect(making).toThrow(ConfigError);
    expect(making).toThrow("a feature is named 'domain'");
  });

  it('is resumed bit for bit and loaded as it was saved', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'polydomain-'));
    try {
      const runFolder = join(folder, 'run');
      const strategy = strategies.mamdr({ helpers: 1 });
      const whole = await fit(make(name), data, { ...options, strategy });
      const controller = new AbortController();
      let progress = 0;
      const stopped = fit(make(name), data, {
        ...options,
        strategy,
        runFolder,
        signal: controller.signal,
        onEvent: ({ kind }) => {
          if (kind === 'progress' && ++progress === 3) controller.abort(new Error('stopped'));
        },
      });
      await expect(stopped).rejects.toThrow('stopped');
      const resumed = await fit(make(name), data, {
        ...options,
        strategy,
        runFolder,
        resume: true,
      });
      expect(stateOf(resumed.model)).toEqual(stateOf(whole.model));
      const rows = [
        { domain: 'd0', user: 'v3', item: 'v4' },
        { domain: 'd2', user: 'v5', item: 'new' },
      ];
      const loaded = await load(runFolder);
      expect(await loaded.predict(rows)).toEqual(await whole.predict(rows));
      const unknown = loaded.predict([{ domain: 'new', user: 'v3', item: 'v4' }], {
        unknownDomain: 'shared',
      });
      if (multiHead.includes(name)) await expect(unknown).rejects.toThrow(DataError);
      else expect((await unknown)[0]).toBeGreaterThan(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
