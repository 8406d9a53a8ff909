import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type Batch,
  Dataset,
  gradientCosines,
  Model,
  models,
  nn,
  type Schema,
  type Tensor,
} from '../../ts/index.js';
import { toyData } from '../toy.js';

const dim = 3;

interface Fixture {
  readonly items: number[];
  readonly labels: number[];
  readonly domainOffsets: number[];
  readonly parameters: Record<string, number[]>;
  readonly cosines: number[][];
}

/** A table of items and a linear layer: its gradients are written down below. */
class ItemModel extends Model {
  readonly items = new nn.Embedding(30, dim, { deviation: 1 });
  readonly head = new nn.Linear(dim, 1);

  constructor(schema: Schema) {
    super(schema, 5);
  }

  forward({ features }: Batch): Tensor {
    return this.head.forward(this.items.forward(features.item as Tensor));
  }
}

/** Gradient of the mean cross entropy of one domain's training rows, in double precision. */
function gradientOf(model: ItemModel, data: Dataset, domain: number): Float64Array {
  const parameters = model.parameters();
  const valuesOf = (name: string) => parameters.get(name)?.data as Float32Array;
  const [table, weight, bias] = ['items.weight', 'head.weight', 'head.bias'].map(valuesOf) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const gradient = new Float64Array(table.length + dim + 1);
  const add = (place: number, value: number): void => {
    gradient[place] = Number(gradient[place]) + value;
  };
  const { ids, labels, domainOffsets } = data.train;
  const [begin, end] = [Number(domainOffsets[domain]), Number(domainOffsets[domain + 1])];
  for (let row = begin; row < end; row++) {
    const item = Number(ids[1]?.[row]);
    let logit = Number(bias[0]);
    for (let i = 0; i < dim; i++) logit += Number(weight[i]) * Number(table[item * dim + i]);
    const error = (1 / (1 + Math.exp(-logit)) - Number(labels[row])) / (end - begin);
    for (let i = 0; i < dim; i++) {
      add(item * dim + i, error * Number(weight[i]));
      add(table.length + i, error * Number(table[item * dim + i]));
    }
    add(table.length + dim, error);
  }
  return gradient;
}

const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, value, i) => sum + value * Number(b[i]), 0);

describe('gradientCosines', () => {
  it('are those of PyTorch, with short last batches', async () => {
    const path = new URL('../fixtures/gradients.json', import.meta.url);
    const fixture = JSON.parse(readFileSync(path, 'utf8')) as Fixture;
    const { items, domainOffsets, labels } = fixture;
    const part = {
      rows: items.length,
      ids: [Int32Array.from(items)],
      labels: Float32Array.from(labels),
      domainOffsets: Int32Array.from(domainOffsets),
    };
    const data = Dataset.of(
      {
        label: 'label',
        domain: 'domain',
        features: [{ name: 'item', kind: 'categorical', size: 30 }],
        domains: fixture.cosines.map((_, d) => `d${d}`),
      },
      [[]],
      [part, part, part],
    );
    const model = new ItemModel(data.schema);
    for (const [name, values] of Object.entries(fixture.parameters)) {
      model.parameters().get(name)?.data.set(values);
    }
    for (const batchSize of [16, 1024]) {
      const cosines = await gradientCosines(model, data, { batchSize });
      fixture.cosines.forEach((row, a) => {
        row.forEach((cosine, b) => {
          expect(cosines[a]?.[b], `${batchSize}: ${a}, ${b}`).toBeCloseTo(cosine, 5);
        });
      });
    }
  });

  it('are those of the written down gradients', async () => {
    const data = toyData();
    const model = new ItemModel(data.schema);
    const cosines = await gradientCosines(model, data);
    const gradients = [0, 1, 2].map((d) => gradientOf(model, data, d));
    gradients.forEach((a, i) => {
      gradients.forEach((b, j) => {
        const expected = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
        expect(cosines[i]?.[j]).toBeCloseTo(expected, 5);
      });
    });
    const some = await gradientCosines(model, data, { domains: [2, 0] });
    expect(some[0]?.[1]).toBeCloseTo(Number(cosines[2]?.[0]), 6);
  });

  it('are about the domains and not about dropout', async () => {
    const data = toyData();
    const model = models.mlp({ schema: data.schema, embeddingDim: 4, hidden: [8], dropout: 0.5 });
    const twice = await gradientCosines(model, data, { domains: [1, 1] });
    expect(twice[0]?.[1]).toBeCloseTo(1, 6);
  });

  it('leaves the model as it was', async () => {
    const data = toyData();
    const model = models.mlp({
      ...{ schema: data.schema, embeddingDim: 4, hidden: [8], seed: 1 },
      batchNorm: true,
    });
    const before = [...model.parameters().values()].map(({ data }) => data.slice());
    const cosines = await gradientCosines(model, data, { batchSize: 64 });
    expect([...model.parameters().values()].map(({ data }) => data.slice())).toEqual(before);
    expect(cosines.flat().every((value) => Math.abs(value) <= 1 + 1e-6)).toBe(true);
    await expect(gradientCosines(model, data, { batchSize: 0 })).rejects.toThrow(/batchSize: 0/);
    await expect(gradientCosines(model, data, { domains: [0.5] })).rejects.toThrow(
      /domains.0: 0.5/,
    );
  });
});
