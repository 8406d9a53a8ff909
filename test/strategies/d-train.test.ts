import { describe, expect, it } from 'vitest';
import {
  type Batch,
  ConfigError,
  DataError,
  type FitEvent,
  fit,
  load,
  Module,
  models,
  nn,
  ops,
  optim,
  type Schema,
  strategies,
  type Tensor,
} from '../../ts/index.js';
import { temporaryFolder } from '../folder.js';
import { bitsOf, toyData, toyModel } from '../toy.js';

const folder = temporaryFolder();
const data = toyData([120, 80, 40]);
const options = {
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 30,
  epochs: 3,
  seed: 4,
} as const;

/** A parameter's values by slot. */
function slotsOf(model: nn.Model, name: string): number[][] {
  const { data: all, shape } = model.parameters().get(name) as Tensor<'float32'>;
  const size = shape[1] as number;
  return data.schema.domains.map((_, d) => [...all.subarray(d * size, (d + 1) * size)]);
}

/** A model of a user's own, with an activation behind its last layer. */
class Own extends Module<[Batch], Tensor> {
  readonly tables: nn.Embedding[];
  readonly hidden = new nn.Linear(8, 6);
  readonly last = new nn.Linear(6, 1);

  constructor({ features }: Schema) {
    super();
    this.tables = features
      .filter((feature) => feature.kind === 'categorical')
      .map(({ size }) => new nn.Embedding(size, 4, { deviation: 0.1 }));
  }

  forward({ features }: Batch): Tensor {
    const fields = this.tables.map((table, i) =>
      table.forward(Object.values(features)[i] as Tensor),
    );
    const hidden = ops.relu(this.hidden.forward(ops.concat(fields)));
    return ops.scale(this.last.forward(hidden), 2);
  }
}

/** One without any linear layer. */
class Tables extends Own {
  override forward(batch: Batch): Tensor {
    const [user, item] = this.tables.map((table, i) =>
      table.forward(Object.values(batch.features)[i] as Tensor),
    ) as [Tensor, Tensor];
    return ops.sum(ops.mul(user, item), { axis: 1 });
  }
}

describe('d-train', () => {
  it('tells its phases, of which each has its epochs and metrics', async () => {
    const events: FitEvent[] = [];
    const { metrics, history } = await fit(toyModel(data), data, {
      ...options,
      strategy: strategies.dTrain({ preTrainEpochs: 2, postTrainEpochs: 1 }),
      onEvent: (event) => events.push(event),
    });
    const phases = events.flatMap((event) => (event.kind === 'phase' ? [event.stage] : []));
    expect(phases).toEqual(['pre-train', 'post-train', 'fine-tune']);
    expect(history.map(({ stage, epoch }) => `${stage} ${epoch}`)).toEqual([
      'pre-train 0',
      'pre-train 1',
      'post-train 0',
      'fine-tune 0',
    ]);
    expect(metrics.stages.map(({ name }) => name)).toEqual(['pre-train', 'post-train']);
  });

  it("splits the last layer of a model of a user's own", async () => {
    const { model } = await fit(new Own(data.schema), data, {
      ...options,
      strategy: strategies.dTrain(),
    });
    const shapes = new Map([...model.parameters()].map(([name, { shape }]) => [name, shape]));
    expect(shapes.get('last.weight')).toEqual([3, 6]);
    expect(shapes.get('last.bias')).toEqual([3, 1]);
    expect(shapes.get('hidden.weight')).toEqual([6, 8]);
  });

  it('keeps what a model had learned, in every slot', async () => {
    const module = new Own(data.schema);
    const trained = await fit(module, data, { ...options, strategy: strategies.alternate() });
    const before = [...(trained.model.parameters().get('last.weight')?.data ?? [])];
    expect(trained.model.splitHeads()).toEqual(['last.weight', 'last.bias']);
    expect(slotsOf(trained.model, 'last.weight')).toEqual([before, before, before]);
  });

  it('starts the heads from the pre-trained one, or from those before', async () => {
    const gates = async (headStart: 'copy' | 'random') => {
      const model = models.mmoe({ schema: data.schema, embeddingDim: 4, hidden: [6], seed: 2 });
      const start = slotsOf(model, 'gates.weight');
      // The fine-tune phase leaves the gates as the split made them.
      const strategy = strategies.dTrain({ postTrain: false, headStart });
      await fit(model, data, { ...options, epochs: 1, strategy });
      return { start, end: slotsOf(model, 'gates.weight') };
    };
    const copied = await gates('copy');
    expect(copied.end[0]).not.toEqual(copied.start[0]);
    expect(copied.end).toEqual([copied.end[0], copied.end[0], copied.end[0]]);
    const random = await gates('random');
    expect(random.end).toEqual([random.start[1], random.start[1], random.start[1]]);
  });

  it('has no shared slot left when it is trained as a plug-in', async () => {
    const model = models.mmoe({ schema: data.schema, embeddingDim: 4, hidden: [6], seed: 2 });
    const start = slotsOf(model, 'gates.weight');
    await fit(model, data, { ...options, strategy: strategies.dTrain({ preTrain: false }) });
    const end = slotsOf(model, 'gates.weight');
    for (const domain of [0, 1, 2]) expect(end[domain]).not.toEqual(start[domain]);
  });

  it('is stored with its heads and loaded again, and knows no unknown domain', async () => {
    const runFolder = folder('run');
    const heads = ['hidden.1.*', 'output.*', 'bias'];
    const run = await fit(toyModel(data), data, {
      ...options,
      runFolder,
      strategy: strategies.dTrain({ heads }),
    });
    const loaded = await load(runFolder);
    expect(loaded.model.split).toEqual(run.model.split);
    expect(loaded.model.split).toEqual([
      'bias',
      'hidden.1.weight',
      'hidden.1.bias',
      'output.weight',
    ]);
    const rows = data.schema.domains.map((domain) => ({ domain, user: 'v3', item: 'v4' }));
    expect(await loaded.predict(rows)).toEqual(await run.predict(rows));
    expect(() => loaded.forDomain('new', { unknownDomain: 'shared' })).toThrow(DataError);
  });

  it('starts from a trained model, split or not', async () => {
    const plain = await fit(toyModel(data), data, {
      ...options,
      strategy: strategies.alternate(),
    });
    const strategy = strategies.dTrain({ preTrain: false, postTrain: false, maxSteps: 1 });
    const split = await fit(toyModel(data), data, { ...options, from: plain, strategy });
    const old = plain.model.parameters();
    for (const [name, { data: values }] of split.model.parameters()) {
      if (name !== 'output.weight') expect(values).toEqual(old.get(name)?.data);
    }
    const nothing = { ...strategies.alternate(), *epoch() {} };
    const again = await fit(toyModel(data), data, { ...options, from: split, strategy: nothing });
    expect(bitsOf(again.model as never)).toBe(bitsOf(split.model as never));
  });

  it('trains nothing but heads in the end, running averages included', async () => {
    const model = models.mlp({
      schema: data.schema,
      embeddingDim: 4,
      hidden: [6],
      batchNorm: true,
      seed: 2,
    });
    await fit(model, data, { ...options, strategy: strategies.joint() });
    const before = new Map([...model.parameters()].map(([name, own]) => [name, own.data.slice()]));
    const strategy = strategies.dTrain({ preTrain: false, postTrain: false });
    await fit(model, data, { ...options, strategy });
    const changed = [...model.parameters()].filter(
      ([name, own]) => own.data.join() !== before.get(name)?.join(),
    );
    expect(changed.map(([name]) => name)).toEqual(['output.weight']);
  });

  it('is resumed in another process where it started from a split model', async () => {
    const first = await fit(toyModel(data), data, { ...options, strategy: strategies.dTrain() });
    const training = (runFolder: string, more: Partial<Parameters<typeof fit>[2]> = {}) =>
      fit(toyModel(data), data, {
        ...options,
        from: first,
        strategy: strategies.alternate(),
        runFolder,
        ...more,
      });
    const whole = await training(folder('whole'));
    const abort = new AbortController();
    const onEvent = ({ kind }: FitEvent) => {
      if (kind === 'epoch') abort.abort(new Error('stopped'));
    };
    const stopped = training(folder('parts'), { signal: abort.signal, onEvent });
    await expect(stopped).rejects.toThrow('stopped');
    const resumed = await training(folder('parts'), { resume: true });
    expect(bitsOf(resumed.model)).toBe(bitsOf(whole.model));
  });

  it('needs a phase behind pre-training', () => {
    const make = () => strategies.dTrain({ postTrain: false, fineTune: false });
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(/d-train.fineTune: false; expected postTrain or fineTune/);
  });

  it('names heads that there are not, or that cannot be split', async () => {
    const training = (heads?: string[]) =>
      fit(toyModel(data), data, {
        ...options,
        strategy: strategies.dTrain({ ...(heads && { heads }) }),
      });
    await expect(training(['towers.*'])).rejects.toThrow(/heads: 'towers\.\*' names no parameter/);
    await expect(training(['output.*', 'hiden.*'])).rejects.toThrow(/'hiden\.\*' names no par/);
    await expect(training(['output.*', '!output.*'])).rejects.toThrow(/leave no parameter/);
    await expect(training(['embedding.*'])).rejects.toThrow(
      /'embedding.user.weight' is no trained/,
    );
    const strategy = strategies.dTrain();
    const none = fit(new Tables(data.schema), data, { ...options, strategy });
    await expect(none).rejects.toThrow(/neither banks nor a linear layer/);
  });

  it('needs two domains to start heads at random', async () => {
    const one = toyData([50]);
    const strategy = strategies.dTrain({ headStart: 'random' });
    await expect(fit(toyModel(one), one, { ...options, strategy })).rejects.toThrow(
      /headStart: 'random'; expected 2 domains/,
    );
    await fit(toyModel(one), one, { ...options, strategy: strategies.dTrain() });
  });
});
