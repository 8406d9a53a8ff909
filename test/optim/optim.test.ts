import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type Batch,
  ConfigError,
  Dataset,
  fit,
  Model,
  nn,
  ops,
  optim,
  type Schema,
  type Strategy,
  type Tensor,
} from '../../ts/index.js';
import { distance } from '../distance.js';
import { userItemSchema } from '../user-item-schema.js';

type Kind = 'sgd' | 'adagrad' | 'adam' | 'adamw';
interface Options {
  learningRate: number;
  momentum?: number;
  nesterov?: boolean;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  epsilonForm?: 'torch' | 'tf1';
  weightDecay?: number;
  initialAccumulator?: number;
}
interface Fixture {
  users: number;
  items: number;
  width: number;
  batch: number;
  steps: number;
  /** [users, width], each 1 or -1. */
  signs: number[];
  user: number[];
  item: number[];
  label: number[];
  start: Record<string, number[]>;
  cases: { kind: Kind; options: Options; end: Record<string, number[]> }[];
}
const { optimizers: fixture } = JSON.parse(
  readFileSync(new URL('../fixtures/ops.json', import.meta.url), 'utf8'),
) as { optimizers: Fixture };

/**
 * logits = linear(x) + effect of the item, where x is the user's row of 1 and -1: the hyperbolic
 * tangent of a table so large that it has no slope left, so that no optimizer changes x.
 */
class Additive extends Model {
  readonly user = new nn.Embedding(fixture.users, fixture.width);
  readonly item = new nn.Embedding(fixture.items, 1);
  readonly linear = new nn.Linear(fixture.width, 1);

  forward({ features }: Batch): Tensor {
    const x = ops.tanh(this.user.forward(features.user as Tensor));
    return ops.add(this.linear.forward(x), this.item.forward(features.item as Tensor));
  }
}

/** The fixture's rows as those of domain 1, in order; the others have one row each. */
function data(): Dataset {
  const { users, items, user, item, label } = fixture;
  const split = {
    rows: label.length + 2,
    domainOffsets: Int32Array.of(0, 1, 1 + label.length, 2 + label.length),
    ids: [Int32Array.of(0, ...user, 0), Int32Array.of(0, ...item, 0)],
    labels: Float32Array.of(0, ...label, 0),
  };
  return Dataset.of(userItemSchema(users, items, ['a', 'b', 'c']), [[], []], [split, split, split]);
}

function model(schema: Schema): Additive {
  const made = new Additive(schema);
  const parameters = made.parameters();
  parameters.get('user.weight')?.data.set(fixture.signs.map((sign) => 30 * sign));
  for (const [name, values] of Object.entries(fixture.start)) {
    parameters.get(name)?.data.set(values);
  }
  return made;
}

/** One pass over the rows of domain 1 as they stand. */
const inOrder: Strategy = {
  name: 'in order',
  options: {},
  *epoch() {
    const order = Int32Array.from({ length: fixture.label.length }, (_, i) => i);
    yield { kind: 'run', domain: 1, order };
  },
};

async function train(optimizer: optim.Optimizer, threads?: number): Promise<Additive> {
  const rows = data();
  const made = model(rows.schema);
  await fit(made, rows, {
    strategy: inOrder,
    optimizer,
    batchSize: fixture.batch,
    epochs: 1,
    ...(threads && { threads }),
  });
  return made;
}

describe('optimizers beside PyTorch, after five steps', () => {
  const named = fixture.cases.map((one) => {
    const options = Object.entries(one.options).map(([key, value]) => `${key} ${value}`);
    return [`${one.kind}, ${options.join(', ')}`, one] as const;
  });

  it('have a case of every optimizer', () => {
    // nativeSpec makes none: it is there for the session.
    const exported = Object.entries(optim)
      .filter(([name, value]) => typeof value === 'function' && name !== 'nativeSpec')
      .map(([name]) => name);
    expect([...new Set(fixture.cases.map(({ kind }) => kind))].sort()).toEqual(exported.sort());
  });

  it.each(named)('%s', async (_, { kind, options, end }) => {
    const made = await train(optim[kind](options));
    const parameters = made.parameters();
    expect([...parameters.keys()].sort()).toEqual([...Object.keys(end), 'user.weight'].sort());
    for (const [name, values] of Object.entries(end)) {
      const trained = parameters.get(name)?.data as Float32Array;
      expect(trained, name).toHaveLength(values.length);
      expect(distance(trained, values), name).toBeLessThanOrEqual(1e-5);
      // No row of an untouched item: neither momentum nor decay moves it.
      if (name === 'item.weight') {
        expect(trained.at(-1)).toBe(Math.fround(fixture.start[name]?.at(-1) as number));
      }
    }
    made.dispose();
  });

  it('do not depend on what an option left out would be', async () => {
    const bits = async (optimizer: optim.Optimizer) => {
      const made = await train(optimizer);
      return [...made.parameters()].map(([name, { data }]) => [name, [...data]]);
    };
    expect(await bits(optim.sgd())).toEqual(await bits(optim.sgd({ learningRate: 1e-3 })));
    expect(await bits(optim.adagrad())).toEqual(
      await bits(optim.adagrad({ learningRate: 1e-2, epsilon: 1e-10, initialAccumulator: 0 })),
    );
    const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    expect(await bits(optim.adam())).toEqual(
      await bits(optim.adam({ ...adam, epsilonForm: 'torch', weightDecay: 0 })),
    );
    expect(await bits(optim.adamw())).toEqual(
      await bits(optim.adamw({ ...adam, weightDecay: 1e-2 })),
    );
  });
});

describe('options out of range', () => {
  const nan = Number.NaN;
  it.each<[Kind, keyof Options, unknown]>([
    ['sgd', 'learningRate', 0],
    ['sgd', 'learningRate', -0.1],
    ['sgd', 'learningRate', nan],
    ['sgd', 'learningRate', Number.POSITIVE_INFINITY],
    ['sgd', 'momentum', 1],
    ['sgd', 'momentum', -0.1],
    ['sgd', 'momentum', nan],
    ['sgd', 'nesterov', true],
    ['sgd', 'weightDecay', -1e-3],
    ['sgd', 'weightDecay', nan],
    ['adagrad', 'learningRate', 0],
    ['adagrad', 'epsilon', 0],
    ['adagrad', 'epsilon', nan],
    ['adagrad', 'initialAccumulator', -1],
    ['adagrad', 'initialAccumulator', nan],
    ['adagrad', 'weightDecay', -1],
    ...(['adam', 'adamw'] as const).flatMap((kind): [Kind, keyof Options, unknown][] => [
      [kind, 'learningRate', -1],
      [kind, 'beta1', 1],
      [kind, 'beta1', -0.1],
      [kind, 'beta2', 1],
      [kind, 'beta2', nan],
      [kind, 'epsilon', -1e-8],
      [kind, 'epsilonForm', 'tf2'],
      [kind, 'weightDecay', -1],
    ]),
  ])('%s: %s %s', (kind, option, value) => {
    const make = () => optim[kind]({ [option]: value } as Partial<Options>);
    expect(make).toThrow(ConfigError);
    // Who, which option, its value as it was given, and what would be right.
    const shown = String(value).replace(/[.+]/g, '\\$&');
    expect(make).toThrow(new RegExp(`^${kind}\\W+${option}\\W.*${shown}.*; .*expected `));
  });

  it.each<[Kind, string]>([
    ['sgd', 'beta1'],
    ['adagrad', 'momentum'],
    ['adam', 'nesterov'],
    ['adamw', 'learnigRate'],
  ])('%s: %s is none of its own', (kind, option) => {
    const make = () => optim[kind]({ [option]: 0.5 } as Partial<Options>);
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(new RegExp(`^${kind}\\W.*${option}`));
  });

  it('are not those at the borders', () => {
    expect(() => optim.sgd({ momentum: 0, nesterov: false, weightDecay: 0 })).not.toThrow();
    expect(() => optim.sgd({ momentum: 0.999, nesterov: true })).not.toThrow();
    expect(() => optim.adagrad({ initialAccumulator: 0 })).not.toThrow();
    expect(() => optim.adam({ beta1: 0, beta2: 0, weightDecay: 0 })).not.toThrow();
  });
});
