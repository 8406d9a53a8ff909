import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  evaluate,
  fit,
  models,
  optim,
  type Strategy,
  strategies,
} from '../../ts/index.js';
import { errorOf } from '../error-of.js';
import { bitsOf, toyData, toyModel } from '../toy.js';

const data = toyData([60, 40]);
const options = { optimizer: optim.adam({ learningRate: 1e-2 }), batchSize: 32, epochs: 2 };

describe('a model that is trained again', () => {
  it('has the loss of the strategy at hand', async () => {
    const model = toyModel(data);
    await fit(model, data, { ...options, strategy: strategies.weightedLoss() });
    const other = toyModel(data);
    for (const [name, own] of other.parameters()) {
      own.data.set(model.parameters().get(name)?.data as Float32Array);
    }
    for (const each of [model, other]) {
      await fit(each, data, { ...options, strategy: strategies.alternate() });
    }
    expect(bitsOf(model)).toBe(bitsOf(other));
    await fit(model, data, { ...options, strategy: strategies.weightedLoss() });
    expect(model.parameters().get('uncertainty')?.data).not.toContain(1);
  });

  it('keeps its own values when a name of a domain is wrong', async () => {
    const model = toyModel(data);
    await fit(model, data, { ...options, strategy: strategies.mamdr({ helpers: 1 }) });
    const before = await evaluate(model, data);
    const again = { ...options, strategy: strategies.alternate() };
    await expect(fit(model, data, { ...again, target: 'd7' })).rejects.toThrow(/target: 'd7'/);
    const domainOrder = ['d0', 'd7'];
    await expect(fit(model, data, { ...again, domainOrder })).rejects.toThrow(/domainOrder: 'd7'/);
    expect(await evaluate(model, data)).toEqual(before);
  });
});

describe('what is no strategy, optimizer or model', () => {
  const strategy = strategies.alternate();

  it.for([undefined, null, 'mamdr', 7, strategies.mamdr, {}])(
    'is refused as a strategy: %s',
    async (given) => {
      const error = await errorOf(() =>
        fit(toyModel(data), data, { ...options, strategy: given as never }),
      );
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(/^fit\.strategy: .*; expected one of strategies/);
    },
  );

  it('gets the defaults of its name', async () => {
    const ends = [optim.adagrad(), { name: 'adagrad' } as never].map(async (optimizer) => {
      const model = toyModel(data);
      await fit(model, data, { ...options, strategy, optimizer });
      return bitsOf(model);
    });
    const [made, bare] = await Promise.all(ends);
    expect(bare).toBe(made);
  });

  it("is refused as one of a strategy's own", async () => {
    const own = { ...strategy, optimizers: [{ name: 'adagrad', learningRate: -1 } as never] };
    const given = { ...options, strategy: own satisfies Strategy };
    const error = await errorOf(() => fit(toyModel(data), data, given));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/learningRate: -1; expected number to be >0/);
  });

  it.for([-1, 0.5, Number.NaN, 2 ** 60, 'x'])(
    'is refused as a seed of a model: %s',
    async (seed) => {
      const error = await errorOf(() => models.mlp({ schema: data.schema, seed: seed as number }));
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(/seed: /);
    },
  );

  it.for([undefined, {}, { schema: {} }])(
    'is refused as what a model is made of: %s',
    async (own) => {
      const error = await errorOf(() => models.nfm(own as never));
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(/schema: missing; expected that of a dataset/);
    },
  );
});
