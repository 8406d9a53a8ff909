import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Dataset, evaluate, fit, optim, type Strategy } from '../../ts/index.js';
import { modelConfig, modelOf } from '../../ts/models/registry.js';
import { Predictor } from '../../ts/serve/predictor.js';
import type { Row } from '../../ts/serve/scorer.js';
import { distance } from '../distance.js';

type State = Record<string, number[]>;
const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/features.json', import.meta.url), 'utf8'),
) as {
  rows: Row[];
  batch: number;
  classWeights: [number, number];
  mean: number;
  deviation: number;
  options: object;
  models: Record<
    string,
    { start: State; logits: number[]; loss: number; evaluation: number; gradients: State }
  >;
};
const { rows, batch } = fixture;

const column = (name: string) => rows.map((row) => row[name]);
const data = Dataset.from(
  Object.fromEntries(Object.keys(rows[0] as Row).map((name) => [name, column(name)])),
  {
    domain: 'shop',
    label: 'label',
    weight: 'weight',
    split: { column: 'part' },
    features: [
      'item',
      { name: 'age', kind: 'numeric' },
      { name: 'tags', kind: 'multi-valued', pooling: 'sum' },
      { name: 'history', kind: 'multi-valued', pooling: 'mean', table: 'item' },
    ],
  },
);

/** One step over the rows of the first domain. */
const oneStep: Strategy = {
  name: 'one-step',
  options: {},
  *epoch() {
    const order = Int32Array.from({ length: batch }, (_, i) => i);
    yield { kind: 'run', domain: 0, order };
  },
};

it("has the training part's mean and deviation", () => {
  const age = data.schema.features[1];
  expect(age?.kind === 'numeric' && [age.mean, age.deviation]).toEqual([
    expect.closeTo(fixture.mean, 10),
    expect.closeTo(fixture.deviation, 10),
  ]);
});

describe.each(Object.entries(fixture.models))('%s beside PyTorch', (name, golden) => {
  const make = () => {
    const config = modelConfig.parse({ name, ...fixture.options });
    const model = modelOf(config, { schema: data.schema });
    const parameters = model.parameters();
    expect([...parameters.keys()].sort()).toEqual(Object.keys(golden.start).sort());
    for (const [parameter, tensor] of parameters) {
      tensor.data.set(golden.start[parameter] as number[]);
    }
    return model;
  };

  it('scores raw rows as it does', async () => {
    const scores = await new Predictor(make(), data.vocabulary).predict(rows.slice(0, batch));
    const expected = golden.logits.map((logit) => 1 / (1 + Math.exp(-logit)));
    expect(distance(scores, expected)).toBeLessThan(1e-6);
  });

  it('reports the loss weighted by rows', async () => {
    const { loss } = await evaluate(make(), data, 'train');
    expect(loss.byDomain.a).toBeCloseTo(golden.evaluation, 6);
  });

  it('has its weighted gradients: one step of SGD moves every parameter by them', async () => {
    const model = make();
    // Large and a power of two: see golden.test.ts.
    const large = 2 ** 12;
    const run = await fit(model, data, {
      strategy: oneStep,
      optimizer: optim.sgd({ learningRate: large }),
      classWeights: fixture.classWeights,
      batchSize: batch,
      epochs: 1,
    });
    expect(run.history[0]?.loss).toBeCloseTo(golden.loss, 6);
    for (const [parameter, { data: values }] of model.parameters()) {
      const start = golden.start[parameter] as number[];
      const moved = values.map((value, i) => ((start[i] as number) - value) / large);
      const expected = golden.gradients[parameter] as number[];
      expect(distance(moved, expected), parameter).toBeLessThan(1e-5);
    }
  });
});
