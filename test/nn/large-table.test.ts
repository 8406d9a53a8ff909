import { describe, expect, it } from 'vitest';
import { ConfigError, models, nn } from '../../ts/index.js';
import { addon } from '../../ts/native/load.js';
import { toyData } from '../toy.js';

describe('a table that starts off the event loop', () => {
  const { schema } = toyData();
  const [user, ...others] = schema.features;
  const rows = 300_000;
  const large = {
    ...schema,
    features: [{ ...user, size: rows } as typeof user & object, ...others],
  };
  const modelOf = () => models.mlp({ schema: large, embeddingDim: 16, hidden: [8], seed: 4 });

  it('has the values of its stream of random numbers when it is first read', () => {
    const name = 'embedding.user.weight';
    const values = modelOf().parameters().get(name)?.data as Float32Array;
    const expected = new Float32Array(rows * 16);
    addon().fillRandom(expected, { kind: 'normal', a: 0, b: 1e-4 }, 4, name);
    expect(Buffer.from(values.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
  });

  it('scores with them at once, on the event loop and off it', async () => {
    const columns = [Int32Array.of(rows - 1), Int32Array.of(1), Int32Array.of(0)];
    const score = () => {
      const { scoring } = modelOf().compile();
      return { scoring, scored: scoring.predict(columns, 1, -1) };
    };
    const { scoring, scored } = score();
    expect(scored[0]).not.toBe(0);
    expect(scoring.predict(columns, 1, -1)).toEqual(scored);
    expect(await modelOf().compile().scoring.predictAsync(columns, 1, -1)).toEqual(scored);
    modelOf().dispose();
  });

  it('has no more rows than ids can name', () => {
    expect(() => new nn.Embedding(2 ** 31, 1)).toThrow(ConfigError);
    expect(() => new nn.Embedding(2 ** 31, 1)).toThrow(/count 2147483648; expected .*2147483647/);
  });
});
