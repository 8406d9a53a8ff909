import { describe, expect, it } from 'vitest';
import { ConfigError, fit, models, optim, strategies } from '../../ts/index.js';
import { toyData } from '../toy.js';

const data = toyData([60, 40, 20]);
const { schema } = data;
const size = { schema, embeddingDim: 4, hidden: [8, 6] };
/** Values of a parameter of a new model. */
const start = (options: Partial<models.StarOptions>, name: string) =>
  models
    .star({ ...size, ...options })
    .parameters()
    .get(name)?.data as Float32Array;

describe('STAR', () => {
  it('has a slot of norm, layers and auxiliary net for each domain', () => {
    expect(models.star({ ...size, auxiliary: true }).banks).toEqual([
      'norm.weight',
      'norm.bias',
      'norm.runningMean',
      'norm.runningVar',
      'layers.0.own.weight',
      'layers.0.own.bias',
      'layers.1.own.weight',
      'layers.1.own.bias',
      'auxiliary.weight',
      'auxiliary.bias',
    ]);
  });

  it("starts domains' weights at one, or as Keras starts the whole table", () => {
    const name = 'layers.1.own.weight';
    expect(start({}, name)).toEqual(new Float32Array(3 * 6 * 8).fill(1));
    const largest = (values: Float32Array) => Math.max(...values.map(Math.abs));
    const limit = Math.sqrt(6 / (3 * (8 + 6)));
    const glorot = largest(start({ domainStart: 'glorot' }, name));
    expect(glorot).toBeLessThanOrEqual(Math.fround(limit));
    expect(glorot).toBeGreaterThan(0.9 * limit);
    expect(largest(start({}, 'embedding.user.weight'))).toBeLessThanOrEqual(Math.fround(0.05));
  });

  it('refuses an auxiliary layer that is not as wide as the last hidden one', () => {
    const making = () => models.star({ ...size, auxiliary: true, auxiliaryDim: 8 });
    expect(making).toThrow(ConfigError);
    expect(making).toThrow('star.auxiliaryDim: 8; expected 6, the size of the last hidden layer');
  });

  it('knows unknown domains where nothing is of a domain alone', async () => {
    const model = models.star({ ...size, norm: 'bn', dense: 'dense' });
    const run = await fit(model, data, {
      strategy: strategies.joint(),
      optimizer: optim.adam({ learningRate: 1e-2 }),
      epochs: 1,
    });
    const scores = await run.predict([{ domain: 'new', user: 'v3', item: 'v4' }], {
      unknownDomain: 'shared',
    });
    expect(scores[0]).toBeGreaterThan(0);
  });
});
