// A model of one's own: a factorization machine (Rendle 2010) over the features and the domain,
// trained with MAMDR. Run it: npm run example own-model
import {
  type Batch,
  fit,
  load,
  Model,
  nn,
  onlineRetail,
  ops,
  optim,
  type Schema,
  strategies,
  type Tensor,
} from 'polydomain';

class FactorizationMachine extends Model {
  readonly factors: Map<string, nn.Embedding>;
  readonly weights: Map<string, nn.Embedding>;
  readonly bias = new nn.Parameter([1]);

  constructor(
    schema: Schema,
    readonly dim: number,
    seed = 0,
  ) {
    super(schema, seed);
    const categorical = schema.features.filter((feature) => feature.kind === 'categorical');
    const sizes = new Map(categorical.map(({ name, size }) => [name, size]));
    const tables = (width: number) =>
      new Map(
        [...sizes].map(([name, size]) => [name, new nn.Embedding(size, width, { deviation: 0.1 })]),
      );
    this.factors = tables(dim);
    this.weights = tables(1);
  }

  override describe() {
    return { name: 'factorization-machine', options: { dim: this.dim } };
  }

  /** bias + sum of weights + half of (square of the sum - sum of the squares) of the factors. */
  forward({ features }: Batch): Tensor {
    const read = (tables: Map<string, nn.Embedding>) =>
      [...tables].map(([name, table]) => table.forward(features[name] as Tensor));
    const sum = (terms: Tensor[]) => terms.reduce((total, term) => ops.add(total, term));
    const factors = read(this.factors);
    const pairs = ops.sub(ops.square(sum(factors)), sum(factors.map((one) => ops.square(one))));
    const interactions = ops.scale(ops.sum(pairs, { axis: 1, keepDims: true }), 0.5);
    return ops.add(ops.add(interactions, sum(read(this.weights))), this.bias);
  }
}

const data = await onlineRetail();
const model = new FactorizationMachine(data.schema, 16, 1);
const run = await fit(model, data, {
  strategy: strategies.mamdr(),
  optimizer: optim.adam({ learningRate: 2e-3 }),
  epochs: Number(process.argv[2] ?? 5),
  seed: 1,
});
console.log('mean test AUC', run.metrics.test.auc.mean);

const [folder] = process.argv.slice(3);
if (folder) {
  await run.save(folder);
  const loaded = await load(folder, {
    models: {
      'factorization-machine': ({ schema, dim, seed }) =>
        new FactorizationMachine(schema, dim as number, seed),
    },
  });
  const row = { customer: '17850', item: '85123A' };
  const scores = [run, loaded].map((one) => one.forDomain('United Kingdom').predictSync(row));
  console.log('score before and after loading', ...scores);
}
