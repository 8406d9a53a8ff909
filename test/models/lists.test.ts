import { expect, it } from 'vitest';
import {
  type Batch,
  DataError,
  Dataset,
  fit,
  Module,
  nn,
  ops,
  optim,
  strategies,
  type Tensor,
} from '../../ts/index.js';

/** Reads the lists id by id, beside a bag of them where wanted. */
class Sequence extends Module<[Batch], Tensor> {
  readonly table = new nn.Embedding(4, 3, { deviation: 0.1 });
  readonly output = new nn.Linear(3, 1);

  constructor(private readonly bag: boolean) {
    super();
  }

  forward({ features }: Batch): Tensor {
    const ids = features.tags as Tensor;
    const bag = this.bag && this.table.pool(ids, 'sum');
    const each = ops.sum(this.table.forward(ids), { axis: 1 });
    return this.output.forward(bag ? ops.add(bag, each) : each);
  }
}

const training = (tags: readonly string[][], bag: boolean) =>
  fit(
    new Sequence(bag),
    Dataset.from(
      {
        shop: Array(6).fill('a'),
        part: ['train', 'train', 'train', 'train', 'validation', 'test'],
        tags,
        bought: [0, 1, 0, 1, 0, 1],
      },
      {
        domain: 'shop',
        label: 'bought',
        split: { column: 'part' },
        features: [{ name: 'tags', kind: 'multi-valued' }],
      },
    ),
    { strategy: strategies.joint(), optimizer: optim.sgd({ learningRate: 0.1 }), epochs: 1 },
  );

const full = [
  ['x', 'y'],
  ['y', 'z'],
  ['x', 'z'],
  ['z', 'y'],
  ['x', 'x'],
  ['y', 'x'],
];

it.each([false, true])(
  'lists are read id by id where none is filled up (with a bag: %s)',
  async (bag) => {
    const { metrics } = await training(full, bag);
    expect(Number.isFinite(metrics.test.loss.mean)).toBe(true);
    for (const row of [1, 5]) {
      const short = full.map((own, r) => (r === row ? ['x'] : own));
      await expect(training(short, bag)).rejects.toThrow(DataError);
      await expect(training(short, bag)).rejects.toThrow(
        "input 'list:0', row 0: id -1; 'table.weight' has ids 0 to 3, and bags alone -1",
      );
    }
  },
);
