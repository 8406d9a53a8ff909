import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Batch,
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
    this.tables = schema.features.map(({ size }) => new nn.Embedding(size, 4));
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
