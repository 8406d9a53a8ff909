import { describe, expect, it } from 'vitest';
import { ConfigError, fit, models, optim, strategies } from '../../ts/index.js';
import { toyData } from '../toy.js';

const data = toyData([300, 200, 60]);
const { schema } = data;
const neurons = 16;
const dim = 4;
const epsilon = 0.25;
const alpha = 5;
const epochs = 40;

/** The share of factors that are 0 in the only hidden layer, over the training rows. */
async function prunedShare(sparsity: [number, number]): Promise<number> {
  const model = models.adasparse({
    schema,
    seed: 2,
    embeddingDim: dim,
    hidden: [neurons],
    dropout: 0,
    epsilon,
    alpha,
    sparsity,
    sparsityWeight: 1,
  });
  await fit(model, data, {
    strategy: strategies.joint(),
    optimizer: optim.adam({ learningRate: 1e-2 }),
    batchSize: 64,
    // The last epoch is kept, not the best.
    validateEvery: epochs,
    epochs,
    seed: 1,
  });
  const parameters = model.parameters();
  const values = (name: string) => parameters.get(name)?.data as Float32Array;
  const row = (table: string, id: number) =>
    values(`embedding.${table}.weight`).subarray(id * dim, (id + 1) * dim);
  const linear = (name: string, x: readonly number[]) =>
    [...values(`${name}.bias`)].map((bias, out) =>
      x.reduce(
        (sum, value, i) => sum + value * (values(`${name}.weight`)[out * x.length + i] as number),
        bias,
      ),
    );
  const { domainOffsets, ids, rows } = data.train;
  let pruned = 0;
  for (let r = 0; r < rows; r++) {
    const domain = row('domain', domainOffsets.findIndex((end) => r < end) - 1);
    const [user, item] = (ids as readonly Int32Array[]).map((column) => column[r] as number);
    const x = [...row('user', user as number), ...row('item', item as number), ...domain];
    const hidden = linear('hidden.0', x).map((value) => Math.max(value, 0));
    const logits = linear('pruners.0.linear', [...domain, ...hidden]);
    pruned += logits.filter((v) => 2 / (1 + Math.exp(-alpha * v)) <= epsilon).length;
  }
  return pruned / (rows * neurons);
}

describe('AdaSparse', () => {
  it.each([
    [0, 0.1],
    [0.4, 0.5],
  ] as const)('prunes a share of neurons between %d and %d', async (least, most) => {
    const share = await prunedShare([least, most]);
    expect(share).toBeGreaterThan(least - 0.03);
    expect(share).toBeLessThan(most + 0.03);
  });

  it('refuses a range that is none', () => {
    const making = () => models.adasparse({ schema, sparsity: [0.5, 0.4] });
    expect(making).toThrow(ConfigError);
    expect(making).toThrow(
      'adasparse.sparsity: [0.5,0.4]; expected [least, most] with least <= most',
    );
  });
});
