import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ConfigError, models, optim } from '../../ts/index.js';
import { memoryLimit, requireMemory } from '../../ts/nn/memory.js';
import { requireTrainingMemory } from '../../ts/train/expected-size.js';
import { errorOf } from '../error-of.js';
import { toyData } from '../toy.js';

describe('parameters beyond memory', () => {
  it('are refused before anything is allocated', async () => {
    const { schema } = toyData();
    const [user, ...others] = schema.features;
    const rows = 2 ** 31 - 1;
    const large = {
      ...schema,
      features: [{ ...user, size: rows } as typeof user & object, ...others],
    };
    const model = models.mlp({ schema: large, embeddingDim: 8192, hidden: [8] });
    const before = process.memoryUsage.rss();
    const error = await errorOf(() => model.parameters());
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(
      `'embedding.user.weight' [${rows},8192] alone ${rows * 8192 * 4}`,
    );
    expect(error.message).toContain(`${memoryLimit()} at most`);
    expect(process.memoryUsage.rss() - before).toBeLessThan(2 ** 28);
  });

  it('are those of all together', () => {
    const table = {
      name: 'table',
      kind: 'table',
      shape: [100, 4],
      initializer: { kind: 'zeros', a: 0, b: 0 },
      l2: 0,
      trainable: true,
    } as const;
    expect(memoryLimit()).toBeLessThanOrEqual(totalmem());
    requireMemory([table, table], 3200);
    expect(() => requireMemory([table, table], 3199)).toThrow(/need 3200 bytes/);
  });

  it('are refused with the state of their optimizers', async () => {
    const data = toyData([10, 10, 10]);
    const { schema } = data;
    const [user, ...others] = schema.features;
    const large = {
      ...schema,
      features: [{ ...user, size: 1_000_000 } as typeof user & object, ...others],
    };
    const model = models.mlp({ schema: large, embeddingDim: 4, hidden: [8] });
    const specs = [...model.collect().values()].map((parameter) => parameter.spec());
    const count = ({ shape }: { readonly shape: readonly number[] }) =>
      shape.reduce((product, size) => product * size, 1);
    const parameters = specs.reduce((sum, spec) => sum + 4 * count(spec), 0);
    const needed = 4 * parameters;
    const optimizers = [optim.adam(), optim.adagrad()];
    requireTrainingMemory(model, data, optimizers, needed);
    const error = await errorOf(() => requireTrainingMemory(model, data, optimizers, needed - 1));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(
      `needs ${needed} bytes: the parameters ${parameters}, the state of adam, adagrad up to ${3 * parameters}`,
    );
  });
});
