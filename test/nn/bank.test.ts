import { describe, expect, it } from 'vitest';
import {
  type Batch,
  ConfigError,
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
import { toyData } from '../toy.js';

/** A shared layer and a head per domain. */
class Heads extends Module<[Batch], Tensor> {
  readonly tables: nn.Embedding[];
  readonly shared: nn.Linear;
  readonly heads: nn.BankLinear;

  constructor({ features, domains }: Schema) {
    super();
    this.tables = features
      .filter((feature) => feature.kind === 'categorical')
      .map(({ size }) => new nn.Embedding(size, 4, { deviation: 0.1 }));
    this.shared = new nn.Linear(8, 6);
    this.heads = new nn.BankLinear(domains.length, 6, 1);
  }

  forward({ features, slot }: Batch): Tensor {
    const fields = this.tables.map((table, i) =>
      table.forward(Object.values(features)[i] as Tensor),
    );
    return this.heads.forward(ops.relu(this.shared.forward(ops.concat(fields))), slot);
  }
}

const options = {
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 3,
  seed: 2,
};

/** Trains domain 1 alone. */
const onlyOne = {
  name: 'only-one',
  options: {},
  *epoch() {
    yield { kind: 'run', domain: 1 } as const;
  },
};

describe('a bank', () => {
  it('trains the slot of the domain at hand and leaves the others alone', async () => {
    const data = toyData();
    const start = await fit(new Heads(data.schema), data, { ...options, strategy: onlyOne });
    const untouched = await fit(new Heads(data.schema), data, {
      ...options,
      epochs: 1,
      strategy: { ...onlyOne, *epoch() {} },
    });
    const before = untouched.model.parameters();
    for (const [name, { data: values, shape }] of start.model.parameters()) {
      if (!name.startsWith('heads')) continue;
      const size = shape[1] as number;
      const slots = (all: Float32Array) =>
        [0, 1, 2].map((slot) => [...all.subarray(slot * size, (slot + 1) * size)]);
      const old = slots(before.get(name)?.data as Float32Array);
      const trained = slots(values);
      expect(trained[0]).toEqual(old[0]);
      expect(trained[1]).not.toEqual(old[1]);
      expect(trained[2]).toEqual(old[2]);
    }
  });

  it.each([
    strategies.alternate(),
    strategies.joint(),
    strategies.joint({ balanced: true }),
    strategies.dn(),
    strategies.mamdr({ helpers: 1 }),
    strategies.pcgrad({ helpers: 1 }),
    strategies.mldg({ outerOptimizer: optim.adam({ learningRate: 1e-2 }) }),
    strategies.separate(),
  ])('learns with $name', async (strategy) => {
    const data = toyData();
    const run = await fit(new Heads(data.schema), data, { ...options, epochs: 20, strategy });
    expect(run.metrics.train.auc.mean).toBeGreaterThan(0.55);
    const rows = [{ user: 'v3', item: 'v4' }];
    const scores = await Promise.all(
      data.schema.domains.map(async (domain) => (await run.forDomain(domain).predict(rows))[0]),
    );
    expect(new Set(scores).size).toBe(3);
  });

  it.each([
    [{ domain: 1, mixed: true }, /one of domain, mixed and blocks/],
    [{}, /one of domain, mixed and blocks/],
    [{ mixed: true, rowsPerDomain: 3 }, /rowsPerDomain; expected blocks/],
    [{ blocks: true, shareTo: 0.5 }, /no shareFrom/],
  ])('names what is wrong with the scope %j of a run', async (scope, message) => {
    const strategy: Strategy = {
      ...onlyOne,
      *epoch() {
        yield { kind: 'run', ...scope };
      },
    };
    const run = fit(new Heads(toyData().schema), toyData(), { ...options, strategy });
    await expect(run).rejects.toThrow(ConfigError);
    await expect(run).rejects.toThrow(message);
  });
});
