import { describe, expect, it } from 'vitest';
import {
  type Batch,
  fit,
  Module,
  nn,
  ops,
  optim,
  ShapeError,
  strategies,
  Tensor,
  TraceError,
} from '../../ts/index.js';
import { toyData } from '../toy.js';

const data = toyData([64]);
const rate = 0.5;

/** One layer over one embedded feature, with the mean of its squared weights as a penalty. */
class Penalized extends Module<[Batch], Tensor> {
  readonly table = new nn.Embedding(40, 4, { deviation: 1 });
  readonly layer = new nn.Linear(4, 1);

  constructor(private readonly penalty: ((weight: Tensor) => Tensor) | undefined) {
    super();
  }

  forward({ features }: Batch): Tensor {
    const [ids] = Object.values(features) as [Tensor];
    if (this.penalty) nn.addLoss(this.penalty(this.layer.weight.asTensor()));
    return this.layer.forward(this.table.forward(ids));
  }
}

const train = (penalty?: (weight: Tensor) => Tensor, learningRate = rate) =>
  fit(new Penalized(penalty), data, {
    strategy: strategies.alternate(),
    optimizer: optim.sgd({ learningRate }),
    batchSize: 64,
    epochs: 1,
    seed: 3,
  });
const weightOf = ({ model }: Awaited<ReturnType<typeof train>>) => [
  ...(model.parameters().get('layer.weight')?.data ?? []),
];
const squares = (weight: Tensor) => ops.scale(ops.mean(ops.square(weight)), 3);

describe('addLoss', () => {
  it('adds the gradient of the term to a step', async () => {
    const start = weightOf(await train(undefined, 1e-30));
    const plain = weightOf(await train());
    const penalized = weightOf(await train(squares));
    penalized.forEach((value, i) => {
      const gradient = (3 * 2 * (start[i] as number)) / 4;
      expect(value).toBeCloseTo((plain[i] as number) - rate * gradient, 6);
    });
  });

  it('leaves the losses of evaluation as they are', async () => {
    const plain = await train(undefined, 1e-30);
    const penalized = await train(squares, 1e-30);
    expect(penalized.metrics.test).toEqual(plain.metrics.test);
    const loss = (run: typeof plain) => run.history[0]?.loss as number;
    const weight = weightOf(plain);
    const term = (3 * weight.reduce((sum, value) => sum + value ** 2, 0)) / 4;
    expect(loss(penalized)).toBeCloseTo(loss(plain) + term, 5);
  });

  it('refuses what is no scalar, or not traced', async () => {
    await expect(train((weight) => weight)).rejects.toThrow(ShapeError);
    await expect(train((weight) => weight)).rejects.toThrow(
      'addLoss: shape [1,4]; expected a scalar',
    );
    expect(() => nn.addLoss(ops.mean(Tensor.from(Float32Array.of(1, 2), [2])))).toThrow(TraceError);
  });
});
