import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Dataset, fit, optim, type Strategy } from '../../ts/index.js';
import { modelConfig, modelMakers, modelOf } from '../../ts/models/registry.js';
import { distance } from '../distance.js';
import { userItemSchema } from '../user-item-schema.js';

type State = Record<string, number[]>;
interface Fixture {
  sizes: { user: number; item: number; domain: number };
  rows: number;
  domain: number;
  adam: { learningRate: number; epsilon: number };
  batches: { user: number[]; item: number[]; label: number[] }[];
  /** By the model's name, or that and a variant's. Running statistics stand among the gradients. */
  models: Record<
    string,
    { options: object; start: State; logits: number[]; gradients: State; end: State }
  >;
}
const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/models.json', import.meta.url), 'utf8'),
) as Fixture;

/** The batches are the rows of the fixture's domain, one after another; others have one row. */
function dataset(): Dataset {
  const { batches, sizes, domain } = fixture;
  const domains = sizes.domain - 1;
  const own = (key: 'user' | 'item' | 'label') => batches.flatMap((batch) => batch[key]);
  const counts = Array.from({ length: domains }, (_, d) =>
    d === domain ? own('label').length : 1,
  );
  const domainOffsets = new Int32Array(domains + 1);
  counts.forEach((count, d) => {
    domainOffsets[d + 1] = (domainOffsets[d] as number) + count;
  });
  const column = (key: 'user' | 'item' | 'label') =>
    counts.flatMap((_, d) => (d === domain ? own(key) : [0]));
  const split = {
    rows: domainOffsets[domains] as number,
    domainOffsets,
    ids: [Int32Array.from(column('user')), Int32Array.from(column('item'))],
    labels: Float32Array.from(column('label')),
  };
  return Dataset.of(
    userItemSchema(
      sizes.user,
      sizes.item,
      counts.map((_, d) => `d${d}`),
    ),
    [[], []],
    [split, split, split],
  );
}

/** A pass over the first rows of the fixture's domain, in their order. */
function inOrder(rows: number): Strategy {
  return {
    name: 'in-order',
    options: {},
    *epoch() {
      const order = Int32Array.from({ length: rows }, (_, i) => i);
      yield { kind: 'run', domain: fixture.domain, order };
    },
  };
}

it('has a golden run of every model', () => {
  // The MLP's is mlp.test.ts.
  const golden = Object.keys(fixture.models).map((name) => name.split(' ')[0]);
  expect([...new Set(['mlp', ...golden])].sort()).toEqual(Object.keys(modelMakers).sort());
});

describe.each(Object.entries(fixture.models))('%s beside PyTorch', (name, golden) => {
  const data = dataset();
  const make = () => {
    const config = modelConfig.parse({ name: name.split(' ')[0], ...golden.options });
    const model = modelOf(config, { schema: data.schema });
    const parameters = model.parameters();
    expect([...parameters.keys()].sort()).toEqual(Object.keys(golden.start).sort());
    for (const [parameter, tensor] of parameters) {
      tensor.data.set(golden.start[parameter] as number[]);
    }
    return model;
  };
  const { rows, batches, domain, adam } = fixture;
  // STAR normalises the fields themselves: where they have no variance, rounding is divided by the root of epsilon.
  const rounding = name.startsWith('star') ? 1e-7 / Math.sqrt(1e-3) : 1e-7;
  /** Batch normalisation takes away what all rows share, such as the domain: rounding is all that is left. */
  const vanishes = (parameter: string) =>
    (golden.gradients[parameter] as number[]).every((value) => Math.abs(value) < 1e-12);

  it('has its logits', () => {
    const { scoring } = make().compile();
    const [batch] = batches as [Fixture['batches'][0]];
    const columns = scoring.inputNames.map((input) => {
      if (input === 'slot') return Int32Array.of(domain);
      if (input === 'domain') return new Int32Array(rows).fill(domain);
      return Int32Array.from(input === 'feature:0' ? batch.user : batch.item);
    });
    expect(distance(scoring.predict(columns, rows, -1), golden.logits)).toBeLessThan(1e-5);
  });

  it('has its gradients: one step of SGD moves every parameter by them', async () => {
    const model = make();
    // Large and a power of two: the rounding of the moved values, a few units in their last place, is
    // then far below the gradients, and dividing adds none.
    const large = 2 ** 12;
    await fit(model, data, {
      strategy: inOrder(rows),
      optimizer: optim.sgd({ learningRate: large }),
      batchSize: rows,
      epochs: 1,
    });
    for (const [parameter, { data: values }] of model.parameters()) {
      const start = golden.start[parameter] as number[];
      const isAverage = parameter.includes('.running');
      const moved = values.map((value, i) =>
        isAverage ? value : ((start[i] as number) - value) / large,
      );
      const expected = golden.gradients[parameter] as number[];
      if (vanishes(parameter)) {
        for (const value of moved) expect(Math.abs(value), parameter).toBeLessThan(rounding);
        continue;
      }
      expect(distance(moved, expected), parameter).toBeLessThan(1e-5);
    }
  });

  it('has its parameters after three steps of Adam', async () => {
    const model = make();
    await fit(model, data, {
      strategy: inOrder(3 * rows),
      optimizer: optim.adam(adam),
      batchSize: rows,
      epochs: 1,
    });
    for (const [parameter, { data: values }] of model.parameters()) {
      expect(distance(values, golden.end[parameter] as number[]), parameter).toBeLessThan(1e-5);
    }
  });
});
