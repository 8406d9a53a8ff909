import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  type FitEvent,
  type FitOptions,
  fit,
  optim,
  type Strategy,
  strategies,
} from '../../ts/index.js';
import { bitsOf, toyData, toyModel } from '../toy.js';

type EpochEvent = Extract<FitEvent, { kind: 'epoch' }>;

/** A run of a model, without dropout unless told, with its epochs' events. */
async function run(strategy: Strategy, options: Partial<FitOptions>, dropout = 0) {
  const data = toyData();
  const model = toyModel(data, dropout);
  const events: EpochEvent[] = [];
  const result = await fit(model, data, {
    strategy,
    optimizer: optim.adam({ learningRate: 1e-2 }),
    batchSize: 32,
    epochs: 6,
    seed: 5,
    ...options,
    onEvent: (event) => {
      if (event.kind === 'epoch') events.push(event);
    },
  });
  return { result, events, bits: bitsOf(model) };
}

/** Alternate training that notes the sequence of every epoch. */
function noting(): { strategy: Strategy; sequences: number[][] } {
  const sequences: number[][] = [];
  return {
    sequences,
    strategy: {
      name: 'noting',
      options: {},
      *epoch({ epoch, order }) {
        const own = [...order()];
        // The first epoch is made twice, once to be counted.
        expect(sequences[epoch] ?? own).toEqual(own);
        sequences[epoch] = own;
        for (const domain of own) yield { kind: 'run', domain };
      },
    },
  };
}

/** Stateless and without a draw: from the same values every epoch leads to the same ones. */
const sameEveryTime: Strategy = {
  name: 'same every time',
  options: {},
  *epoch() {
    const order = Int32Array.from({ length: 300 }, (_, row) => row);
    for (let pass = 0; pass < 12; pass++) yield { kind: 'run', domain: 0, order };
  },
};

describe('clipNorm', () => {
  it('clips gradients, and not the ways that a batch variant sums', async () => {
    const data = toyData([80]);
    const end = async (batch: boolean) => {
      const model = toyModel(data, 0);
      await fit(model, data, {
        strategy: strategies.reptile({ batch, outerRate: 0.5 }),
        optimizer: optim.adam({ learningRate: 1e-2 }),
        batchSize: 16,
        epochs: 1,
        clipNorm: 0.05,
      });
      return [...model.parameters().values()].flatMap(({ data: own }) => [...own]);
    };
    // Of one domain they are the same step, in another order of sums.
    const expected = await end(false);
    (await end(true)).forEach((value, i) => {
      expect(Math.abs(value - Number(expected[i]))).toBeLessThan(1e-6);
    });
  });
});

describe('domainOrder', () => {
  const sequencesOf = async (options: Partial<FitOptions>) => {
    const { strategy, sequences } = noting();
    await run(strategy, { epochs: 5, patience: 9, ...options });
    return sequences;
  };

  it('shuffles each epoch by default', async () => {
    const sequences = await sequencesOf({});
    expect(new Set(sequences.map(String)).size).toBeGreaterThan(1);
    expect(sequences.map((one) => [...one].sort())).toEqual(Array(5).fill([0, 1, 2]));
  });

  it("is the data's when it is fixed", async () => {
    expect(await sequencesOf({ domainOrder: 'fixed' })).toEqual(Array(5).fill([0, 1, 2]));
  });

  it('is what is given, with the target at the end', async () => {
    expect(await sequencesOf({ domainOrder: ['d2', 'd0', 'd1'] })).toEqual(
      Array(5).fill([2, 0, 1]),
    );
    const target = 'd2';
    expect(await sequencesOf({ domainOrder: ['d2', 'd1', 'd0'], target })).toEqual(
      Array(5).fill([1, 0, 2]),
    );
    expect(await sequencesOf({ domainOrder: ['d1', 'd0'], target })).toEqual(
      Array(5).fill([1, 0, 2]),
    );
    for (const sequence of await sequencesOf({ target })) expect(sequence[2]).toBe(2);
  });

  it.each([
    [{ domainOrder: ['d0', 'd1'] }, /fit\.domainOrder: 2 names; expected each of 3 domains once/],
    [{ domainOrder: ['d0', 'd1', 'd2', 'd0'] }, /fit\.domainOrder: 4 names/],
    [{ domainOrder: ['d0', 'd1', 'd9'] }, /fit\.domainOrder: 'd9'/],
    [{ domainOrder: 'random' }, /fit\.domainOrder: .*random/],
    [{ target: 'd9' }, /fit\.target: 'd9'.*d0/],
  ])('refuses %o', async (options, message) => {
    const refused = run(strategies.alternate(), options as Partial<FitOptions>);
    await expect(refused).rejects.toThrow(message);
    await expect(run(strategies.alternate(), options as Partial<FitOptions>)).rejects.toThrow(
      ConfigError,
    );
  });
});

describe('target', () => {
  it('alone decides which epoch is best', async () => {
    const bests = new Set<number>();
    for (const target of ['d0', 'd1', 'd2']) {
      const { result, events } = await run(strategies.alternate(), { target, patience: 6 });
      const scores = events.map(({ validation }) => validation.auc.byDomain[target] as number);
      expect(result.bestEpoch).toBe(scores.indexOf(Math.max(...scores)));
      expect(result.metrics.validation.auc.byDomain[target]).toBe(Math.max(...scores));
      bests.add(result.bestEpoch);
    }
    expect(bests.size).toBeGreaterThan(1);
  });
});

describe('validateEvery', () => {
  it('tells of those epochs and of the last, among which the best is', async () => {
    const { result, events } = await run(strategies.alternate(), {
      validateEvery: 2,
      epochs: 8,
      patience: 9,
    });
    expect(events.map(({ epoch }) => epoch)).toEqual([0, 2, 4, 6, 7]);
    expect(result.history.map(({ epoch }) => epoch)).toEqual([0, 2, 4, 6, 7]);
    const every = await run(strategies.alternate(), { epochs: 8, patience: 9 });
    // Training itself is the same.
    for (const event of events) {
      const same = every.events.find(({ epoch }) => epoch === event.epoch);
      expect([event.loss, event.validation]).toEqual([same?.loss, same?.validation]);
    }
  });

  it('makes patience count validations', async () => {
    const options = { optimizer: optim.adam({ learningRate: 0.1 }), epochs: 60, patience: 2 };
    const { result, events } = await run(strategies.alternate(), { ...options, validateEvery: 3 });
    const last = events.at(-1)?.epoch as number;
    expect(last).toBe(result.bestEpoch + 6);
  });
});

describe('validationPasses', () => {
  it.each([
    ['alternate', () => strategies.alternate()],
    ['mamdr', () => strategies.mamdr({ helpers: 1 })],
  ])('tune each domain before it is scored, and leave nothing behind: %s', async (_, make) => {
    const plain = await run(make(), { patience: 9 }, 0.3);
    const tuned = await run(make(), { patience: 9, validationPasses: 2 }, 0.3);
    const losses = ({ events }: typeof plain) => events.map(({ loss }) => loss);
    expect(losses(tuned)).toEqual(losses(plain));
    const scores = ({ events }: typeof plain) => events.map(({ validation }) => validation.loss);
    expect(scores(tuned)).not.toEqual(scores(plain));
    if (plain.result.bestEpoch === tuned.result.bestEpoch) expect(tuned.bits).toBe(plain.bits);
    // The scores at the end are those of the model as it is.
    const same = plain.events[tuned.result.bestEpoch]?.validation;
    expect(tuned.result.metrics.validation).toEqual(same);
  });
});

describe('rollback', () => {
  it('begins each epoch behind one that was no better from the best state', async () => {
    const options = { optimizer: optim.sgd({ learningRate: 0.5 }), epochs: 60, patience: 3 };
    const { result, events } = await run(sameEveryTime, { ...options, rollback: true });
    const losses = events.map(({ loss }) => loss);
    const after = losses.slice(result.bestEpoch + 1);
    expect(after).toHaveLength(3);
    expect(new Set(after).size).toBe(1);
    const plain = await run(sameEveryTime, options);
    expect(plain.result.bestEpoch).toBe(result.bestEpoch);
    expect(plain.bits).toBe(bitsOf(result.model));
    const others = plain.events.slice(result.bestEpoch + 1).map(({ loss }) => loss);
    expect(new Set(others).size).toBe(3);
  });
});
