import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ConfigError, models } from '../../ts/index.js';
import { memoryLimit, requireMemory } from '../../ts/nn/memory.js';
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
});
