import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Dataset, fit, models, optim, type Strategy } from '../../ts/index.js';
import { addon } from '../../ts/native/load.js';
import { distance } from '../distance.js';
import { userItemSchema } from '../user-item-schema.js';

interface Fixture {
  sizes: { user: number; item: number; domain: number };
  dim: number;
  hidden: number[];
  rows: number;
  learningRate: number;
  start: Record<string, number[]>;
  batches: { user: number[]; item: number[]; domain: number; label: number[] }[];
  logits: number[];
  losses: number[];
  gradients: Record<string, number[]>;
  end: Record<string, number[]>;
}
const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/mlp.json', import.meta.url), 'utf8'),
) as Fixture;

/** The fixture's batches as the rows of domain 1, in order; the others have one row each. */
function data(): Dataset {
  const { batches, sizes } = fixture;
  const own = <Key extends 'user' | 'item' | 'label'>(key: Key) =>
    batches.flatMap((batch) => batch[key]);
  const split = {
    rows: own('label').length + 2,
    domainOffsets: Int32Array.of(0, 1, 1 + own('label').length, 2 + own('label').length),
    ids: [Int32Array.of(0, ...own('user'), 0), Int32Array.of(0, ...own('item'), 0)],
    labels: Float32Array.of(0, ...own('label'), 0),
  };
  return Dataset.of(
    userItemSchema(sizes.user, sizes.item, ['a', 'b', 'c']),
    [[], []],
    [split, split, split],
  );
}

function model() {
  const { dim, hidden, start } = fixture;
  const made = models.mlp({ schema: data().schema, embeddingDim: dim, hidden, dropout: 0 });
  for (const [name, tensor] of made.parameters()) tensor.data.set(start[name] as number[]);
  return made;
}

describe('mlp beside PyTorch', () => {
  it('has its logits', () => {
    const { scoring } = model().compile();
    const [batch] = fixture.batches;
    if (!batch) throw new Error('the fixture is empty');
    const columns = scoring.inputNames.map((name) =>
      name === 'domain'
        ? new Int32Array(fixture.rows).fill(batch.domain)
        : Int32Array.from(name === 'feature:0' ? batch.user : batch.item),
    );
    expect(distance(scoring.predict(columns, fixture.rows, -1), fixture.logits)).toBeLessThan(1e-5);
  });

  it('has its gradients: one step of SGD moves every parameter by them', async () => {
    const made = model();
    const order = Int32Array.from({ length: fixture.rows }, (_, i) => i);
    // So long a step that where it began adds no rounding of its own to the difference.
    const learningRate = 2 ** 12;
    await fit(made, data(), {
      strategy: single(order),
      optimizer: optim.sgd({ learningRate }),
      batchSize: fixture.rows,
      epochs: 1,
    });
    for (const [name, tensor] of made.parameters()) {
      const start = fixture.start[name] as number[];
      const moved = Float64Array.from(tensor.data, (value, i) => {
        return ((start[i] ?? value) - value) / learningRate;
      });
      expect(
        distance(moved.subarray(0, start.length), fixture.gradients[name] as number[]),
        name,
      ).toBeLessThan(1e-5);
    }
  });

  it('has its parameters after three steps of Adam', async () => {
    const made = model();
    const order = Int32Array.from({ length: 3 * fixture.rows }, (_, i) => i);
    const { history } = await fit(made, data(), {
      strategy: single(order),
      optimizer: optim.adam({ learningRate: fixture.learningRate }),
      batchSize: fixture.rows,
      epochs: 1,
    });
    const mean = fixture.losses.reduce((sum, loss) => sum + loss, 0) / fixture.losses.length;
    expect(Math.abs((history[0]?.loss as number) - mean)).toBeLessThan(1e-6);
    for (const [name, tensor] of made.parameters()) {
      const end = fixture.end[name] as number[];
      // The fixture has no row for unknown domains.
      expect(distance(tensor.data.subarray(0, end.length), end), name).toBeLessThan(1e-5);
    }
  });

  it('is fused into a layer per product', () => {
    expect(model().compile().scoring.describe().split('\n')[0]).toMatch(/gather_concat/);
    expect(addon().ops()).toContain('linear_input_gradient');
  });
});

/** A pass over the given rows of domain 1: a strategy of the test's own. */
function single(order: Int32Array): Strategy {
  return {
    name: 'single',
    options: {},
    *epoch() {
      yield { kind: 'run', domain: 1, order };
    },
  };
}
