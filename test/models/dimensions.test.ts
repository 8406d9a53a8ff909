import { describe, expect, it } from 'vitest';
import { ConfigError, fit, type Model, optim, strategies } from '../../ts/index.js';
import { type ModelMaker, modelConfig, modelMakers } from '../../ts/models/registry.js';
import { kindsData } from '../kinds.js';

const data = kindsData();
const { schema } = data;
const equal = ['nfm', 'deepfm', 'autoint', 'pnn', 'ccpm'];
const make = (name: string, embeddingDim: unknown) =>
  (modelMakers[name] as ModelMaker)({ schema, embeddingDim, hidden: [8] }) as Model;

describe.each(Object.keys(modelMakers).filter((name) => !equal.includes(name)))('%s', (name) => {
  it('may have fields of unequal sizes', async () => {
    const model = make(name, { default: 3, user: 5, history: 6, domain: 2 });
    const parameters = model.parameters();
    const widths = ['user', 'item', 'tags', 'domain'].map(
      (table) => parameters.get(`embedding.${table}.weight`)?.shape[1],
    );
    expect(widths).toEqual([5, 6, 3, 2]);
    const run = await fit(model, data, {
      strategy: strategies.alternate(),
      optimizer: optim.adam({ learningRate: 1e-2 }),
      epochs: 1,
    });
    expect(Number.isFinite(run.metrics.test.loss.mean)).toBe(true);
  });

  it.each<[object, string]>([
    [{ usr: 4 }, "embeddingDim.usr: no embedded field; did you mean 'user'?"],
    [{ age: 4 }, 'embeddingDim.age: no embedded field'],
    [
      { item: 4, history: 5 },
      "embeddingDim.history: 5; expected 4, as of the other feature of table 'item'",
    ],
    [{ user: 0 }, 'embeddingDim.user: 0; expected number to be >=1'],
  ])('refuses %j', (dims, message) => {
    expect(() => make(name, dims)).toThrow(ConfigError);
    expect(() => make(name, dims)).toThrow(message);
  });
});

describe.each(equal.filter((name) => name in modelMakers))('%s', (name) => {
  it('says why its fields are of one size', () => {
    expect(() => make(name, { user: 5 })).toThrow(ConfigError);
    expect(() => make(name, { user: 5 })).toThrow(
      `${name}.embeddingDim: {"user":5}; expected one integer: the fields meet element by element`,
    );
    expect(modelConfig.safeParse({ name, embeddingDim: 5 }).success).toBe(true);
  });
});
