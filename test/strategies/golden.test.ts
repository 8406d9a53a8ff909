import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Dataset, models, optim, type Strategy, strategies } from '../../ts/index.js';
import type { NativeCommand, NativeSpace } from '../../ts/native/addon.js';
import { addon } from '../../ts/native/load.js';
import { nativeSpec } from '../../ts/optim/optimizers.js';

type State = Record<string, number[]>;

/** An epoch's draws. */
interface Epoch {
  domainOrder?: number[];
  /** As in domainOrder; without the domain itself, which follows as the last helper. */
  helpers?: number[][];
  passes: { domain: number; order: number[] }[];
}

interface Golden {
  settings: { outerRate?: number; regularizationRate?: number; helpers?: number };
  epochs: Epoch[];
  shared: State;
  /** By domain; empty where domains have no values of their own. */
  effective: State[];
}

interface Fixture {
  sizes: { user: number; item: number; domain: number };
  dim: number;
  hidden: number[];
  batchSize: number;
  learningRate: number;
  start: State;
  data: { user: number[]; item: number[]; label: number[] }[];
  strategies: { separate: Golden; dn: Golden; dr: Golden; mamdr: Golden };
}
const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/strategies.json', import.meta.url), 'utf8'),
) as Fixture;

const { separate, dn, dr, mamdr } = fixture.strategies;
const cases: [string, Golden, Strategy][] = [
  ['separate', separate, strategies.separate()],
  ['dn', dn, strategies.dn(dn.settings)],
  ['dr', dr, strategies.dr(dr.settings)],
  ['mamdr', mamdr, strategies.mamdr(mamdr.settings)],
];

/** |a - b| / |b|. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] as number) - (b[i] as number)) ** 2;
    norm += (b[i] as number) ** 2;
  }
  return Math.sqrt(difference / norm);
}

function dataset(): Dataset {
  const { data, sizes } = fixture;
  const domainOffsets = new Int32Array(data.length + 1);
  data.forEach(({ label }, d) => {
    domainOffsets[d + 1] = (domainOffsets[d] as number) + label.length;
  });
  const split = {
    rows: domainOffsets[data.length] as number,
    domainOffsets,
    ids: [
      Int32Array.from(data.flatMap(({ user }) => user)),
      Int32Array.from(data.flatMap(({ item }) => item)),
    ],
    labels: Float32Array.from(data.flatMap(({ label }) => label)),
  };
  return Dataset.of(
    {
      label: 'label',
      domain: 'domain',
      features: [
        { name: 'user', kind: 'categorical', size: sizes.user },
        { name: 'item', kind: 'categorical', size: sizes.item },
      ],
      domains: data.map((_, d) => `d${d}`),
    },
    [[], []],
    [split, split, split],
  );
}

/** An epoch of the strategy with the fixture's draws instead of seeded ones. */
function* replay(strategy: Strategy, drawn: Epoch, epoch: number): Generator<NativeCommand> {
  const domains = fixture.data.length;
  const everyDomain = Array.from({ length: domains }, (_, d) => d);
  // The domain itself comes first: strategies have to leave it out.
  const shuffles = (drawn.helpers ?? []).map((helpers, i) => [
    ...new Set([drawn.domainOrder?.[i] as number, ...helpers, ...everyDomain]),
  ]);
  if (drawn.domainOrder) shuffles.unshift(drawn.domainOrder);
  const passes = [...drawn.passes];
  const context = {
    epoch,
    epochs: 1,
    patience: 1,
    domains,
    shuffle(count: number): Int32Array {
      expect(count).toBe(domains);
      return Int32Array.from(shuffles.shift() ?? []);
    },
    optimizer: (index: number) => index,
  };
  for (const command of strategy.epoch(context)) {
    if (command.kind !== 'run') {
      yield command;
      continue;
    }
    const pass = passes.shift();
    expect(command.domain, 'domain of the pass').toBe(pass?.domain);
    yield { ...command, order: Int32Array.from(pass?.order ?? []) };
  }
  expect(shuffles).toEqual([]);
  expect(passes).toEqual([]);
}

/** A domain's passes of all epochs in one command, of which the last is always kept. */
function* replayConverging(strategy: Strategy, epochs: readonly Epoch[]): Generator<NativeCommand> {
  const context = {
    epoch: 0,
    epochs: epochs.length,
    patience: 1,
    domains: fixture.data.length,
    shuffle: () => new Int32Array(),
    optimizer: (index: number) => index,
  };
  for (const command of strategy.epoch(context)) {
    expect(command).toMatchObject({ kind: 'converge', passes: epochs.length });
    const own = epochs.flatMap(({ passes }) =>
      passes.filter(({ domain }) => domain === command.domain).flatMap(({ order }) => order),
    );
    yield { ...command, order: Int32Array.from(own), rate: -10 };
  }
}

/** Two epochs on a session of their own: fit() would end at its best epoch. */
async function train(strategy: Strategy, epochs: readonly Epoch[]) {
  const { batchSize, dim, hidden, learningRate, start } = fixture;
  const data = dataset();
  const model = models.mlp({ schema: data.schema, embeddingDim: dim, hidden, dropout: 0 });
  for (const [name, tensor] of model.parameters()) tensor.data.set(start[name] as number[]);
  const { graph, output, loss, space } = model.compile();
  const { overlays } = strategy;
  if (overlays) space.configureOverlays(overlays.combine, overlays.start, overlays.specific);
  const session = new (addon().Session)(space, { batchSize, seed: 0 });
  try {
    session.addSplit(data.train);
    session.addSplit(data.validation);
    session.addOptimizer(nativeSpec(optim.adam({ learningRate })));
    session.addTrainingProgram(graph, output, loss, ['all']);
    session.setEvaluationProgram(graph, output, loss);
    if (strategy.domainsStop) await session.run([...replayConverging(strategy, epochs)]);
    else {
      for (const [epoch, drawn] of epochs.entries()) {
        await session.run([...replay(strategy, drawn, epoch)]);
      }
    }
  } finally {
    session.dispose();
  }
  return { model, space };
}

/** What a domain's overlay makes of a shared parameter. */
function effective(strategy: Strategy, space: NativeSpace, domain: number, parameter: string) {
  const values = space.data(parameter).slice();
  const { units, values: held } = space.overlay(domain, parameter);
  const size = held.length / units.length;
  units.forEach((unit, entry) => {
    // A dense parameter's last block reaches beyond its end.
    const end = Math.min(size, values.length - unit * size);
    for (let i = 0; i < end; i++) {
      const own = held[entry * size + i] as number;
      const at = unit * size + i;
      values[at] = strategy.overlays?.combine === 'replace' ? own : (values[at] as number) + own;
    }
  });
  return values;
}

describe('strategies beside PyTorch', () => {
  it.each(cases)('%s has its parameters after two epochs', async (_, golden, strategy) => {
    const { model, space } = await train(strategy, golden.epochs);
    const distances: Record<string, number> = {};
    for (const [name, tensor] of model.parameters()) {
      distances[name] = distance(tensor.data, golden.shared[name] as number[]);
      golden.effective.forEach((state, domain) => {
        const own = effective(strategy, space, domain, name);
        distances[`${name} of domain ${domain}`] = distance(own, state[name] as number[]);
      });
    }
    // All at once: which tensors are off says where.
    expect(Object.entries(distances).filter(([, value]) => !(value <= 1e-4))).toEqual([]);
  });
});
