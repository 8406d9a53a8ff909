import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Batch,
  type CategoricalFeature,
  ConfigError,
  fit,
  load,
  Module,
  nn,
  ops,
  optim,
  type Schema,
  strategies,
  type Tensor,
  TraceError,
} from '../../ts/index.js';
import { toyData } from '../toy.js';

/** No Model: a module that knows its sizes. */
class Mine extends Module<[Batch], Tensor> {
  readonly tables: nn.Embedding[];
  readonly layers: nn.Sequential;

  constructor(schema: Schema) {
    super();
    this.tables = schema.features
      .filter((feature) => feature.kind === 'categorical')
      .map(({ size }) => new nn.Embedding(size, 4));
    this.layers = new nn.Sequential(
      new nn.Linear(8, 8),
      new nn.Relu(),
      new nn.Dropout(0.2),
      new nn.Linear(8, 1),
    );
  }

  forward({ features }: Batch): Tensor {
    const fields = this.tables.map((table, i) =>
      table.forward(Object.values(features)[i] as Tensor),
    );
    return this.layers.forward(ops.concat(fields)) as Tensor;
  }
}

const options = {
  strategy: strategies.mamdr({ helpers: 1 }),
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 64,
  epochs: 2,
  seed: 3,
};

describe("a user's own module", () => {
  it('is trained, saved and loaded', async () => {
    const data = toyData();
    const run = await fit(new Mine(data.schema), data, options);
    expect([...run.model.parameters().keys()]).toEqual([
      'tables.0.weight',
      'tables.1.weight',
      'layers.layers.0.weight',
      'layers.layers.0.bias',
      'layers.layers.3.weight',
      'layers.layers.3.bias',
    ]);
    const parent = await mkdtemp(join(tmpdir(), 'polydomain-'));
    const folder = join(parent, 'run');
    try {
      await run.save(folder);
      await expect(run.save(folder)).rejects.toThrow(/holds a model already/);
      await expect(load(folder)).rejects.toThrow(ConfigError);
      const loaded = await load(folder, { models: { Mine: ({ schema }) => new Mine(schema) } });
      const row = { user: 'v3', item: 'v4', domain: 'd1' };
      expect(await loaded.predict([row])).toEqual(await run.predict([row]));
    } finally {
      await rm(parent, { recursive: true });
    }
  });

  it('goes on from its parameters in a second fit', async () => {
    const data = toyData();
    const module = new Mine(data.schema);
    const alternate = { ...options, strategy: strategies.alternate() };
    const first = await fit(module, data, alternate);
    const second = await fit(module, data, alternate);
    expect(second.model).toBe(first.model);
    expect(second.history[0]?.loss).toBeLessThan(first.history[0]?.loss as number);
  });

  it('leaves what is not trainable as it was, whatever the strategy', async () => {
    class Frozen extends Mine {
      readonly table: nn.Parameter;
      readonly shift = new nn.Parameter([1], {
        initializer: { kind: 'constant', a: 0.5, b: 0 },
        trainable: false,
      });

      constructor(schema: Schema) {
        super(schema);
        const { size } = schema.features[0] as CategoricalFeature;
        this.table = new nn.Parameter([size, 1], {
          kind: 'table',
          initializer: { kind: 'normal', a: 0, b: 1 },
          l2: 0.1,
          trainable: false,
        });
      }

      override forward(batch: Batch): Tensor {
        const own = ops.embedding(this.table, batch.features.user as Tensor);
        return ops.add(ops.add(super.forward(batch), own), this.shift);
      }
    }
    const data = toyData([90, 60, 30]);
    const outerOptimizer = optim.adam({ learningRate: 1e-2 });
    const all = [
      strategies.alternate(),
      strategies.joint(),
      strategies.separate(),
      strategies.weightedLoss(),
      strategies.pcgrad({ helpers: 1 }),
      strategies.maml({ outerOptimizer }),
      strategies.reptile({ outerRate: 0.5 }),
      strategies.mldg({ outerOptimizer }),
      strategies.dn({ outerOptimizer }),
      strategies.mamdr({ helpers: 1, specificStart: 'random' }),
    ];
    for (const strategy of all) {
      const module = new Frozen(data.schema);
      const untrained = { ...options, optimizer: optim.sgd({ learningRate: 1, momentum: 0.9 }) };
      const start = { ...untrained, strategy: { ...strategy, *epoch() {} } };
      const before = (await fit(new Frozen(data.schema), data, start)).model.parameters();
      const { model } = await fit(module, data, { ...untrained, strategy });
      const after = model.parameters();
      for (const name of ['table', 'shift']) {
        expect(after.get(name)?.data, `${strategy.name}: ${name}`).toEqual(before.get(name)?.data);
        const own = model.compile().space.overlay(0, name);
        expect(own.units.length, `${strategy.name}: ${name}`).toBe(0);
      }
      expect(new Set(after.get('table')?.data).size).toBeGreaterThan(3);
    }
  });

  it('may not read values while it is traced', async () => {
    class Reader extends Mine {
      override forward(batch: Batch): Tensor {
        const logits = super.forward(batch);
        return logits.data.length > 0 ? logits : ops.neg(logits);
      }
    }
    const data = toyData();
    await expect(fit(new Reader(data.schema), data, options)).rejects.toThrow(TraceError);
  });
});
