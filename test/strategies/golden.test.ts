import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { Dataset, models, type Strategy } from '../../ts/index.js';
import type { NativeCommand, NativeSession, NativeSpace } from '../../ts/native/addon.js';
import { addon } from '../../ts/native/load.js';
import { nativeSpec, optimizerConfig } from '../../ts/optim/optimizers.js';
import { strategyConfig, strategyOf } from '../../ts/strategies/registry.js';
import {
  type Command,
  type OverlayRule,
  type StagedStrategy,
  stagesOf,
} from '../../ts/strategies/types.js';
import { distance } from '../distance.js';
import { userItemSchema } from '../user-item-schema.js';

type State = Record<string, number[]>;

interface Pass {
  /** A domain, or how rows of all of them make batches; `order` is then of rows of the split. */
  scope: number | 'mixed' | 'blocks';
  mode: 'train' | 'gradient';
  /** Of the domain's rows, from where to where; `order` is of these alone. */
  share: [number, number];
  order: number[];
}

/** An epoch's draws. */
interface Epoch {
  domainOrder?: number[];
  /** As in domainOrder; without the domain itself. */
  helpers?: number[][];
  /** As in domainOrder: for each of the domain and its helpers, the order of the others of them. */
  projections?: number[][][];
  passes: Pass[];
}

interface Golden {
  /** Of the run. */
  optimizer: z.input<typeof optimizerConfig>;
  settings: z.input<typeof strategyConfig>;
  clipNorm?: number;
  /** The strategy's, also where it has none of its own. */
  weightedLoss?: boolean;
  epochs: Epoch[];
  /** Of a strategy of several stages, instead of `epochs`: each one's. */
  stages?: Epoch[][];
  shared: State;
  /** By domain; empty where domains have no values of their own. */
  effective: State[];
}

interface Fixture {
  sizes: { user: number; item: number; domain: number };
  dim: number;
  hidden: number[];
  batchSize: number;
  start: State;
  data: { user: number[]; item: number[]; label: number[] }[];
  strategies: Record<string, Golden>;
}
const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/strategies.json', import.meta.url), 'utf8'),
) as Fixture;

/** What D-Train splits. */
const heads = ['output.weight'];

const everyDomain = fixture.data.map((_, domain) => domain);

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
    userItemSchema(
      sizes.user,
      sizes.item,
      data.map((_, d) => `d${d}`),
    ),
    [[], []],
    [split, split, split],
  );
}

/** What shuffle() answers in an epoch, call by call. */
function shufflesOf({ domainOrder, projections = [] }: Epoch): number[][] {
  if (!domainOrder) return [];
  // What is drawn for comes first: strategies have to leave it out.
  const own = domainOrder.flatMap((_, at) =>
    (projections[at] ?? []).map((others, member) => [member, ...others]),
  );
  return [domainOrder, ...own];
}

/** What sample() answers: helpers as numbers of the other domains, counted without a gap. */
function samplesOf({ domainOrder = [], helpers = [] }: Epoch): number[][] {
  return domainOrder.flatMap((domain, at) => {
    const drawn = helpers[at];
    return drawn ? [drawn.map((helper) => helper - Number(helper > domain))] : [];
  });
}

function expectPass(command: Command, expected: Pass | undefined): asserts expected is Pass {
  const { domain, mixed, blocks, mode = 'train', shareFrom = 0, shareTo = 1 } = command;
  const scope = mixed ? 'mixed' : blocks ? 'blocks' : domain;
  expect({ scope, mode, share: [shareFrom, shareTo] }).toEqual({
    scope: expected?.scope,
    mode: expected?.mode,
    share: expected?.share,
  });
}

/** Indices in the session. */
interface Indices {
  readonly programs: { readonly train: number; readonly gradient: number };
  readonly optimizer: number;
}

/** An epoch of the strategy with the fixture's draws instead of seeded ones. */
function* replay(
  strategy: Strategy,
  drawn: Epoch,
  epoch: number,
  session: NativeSession,
  { programs, optimizer }: Indices,
): Generator<NativeCommand> {
  const shuffles = shufflesOf(drawn);
  const samples = samplesOf(drawn);
  const passes = [...drawn.passes];
  const context = {
    epoch,
    epochs: 1,
    patience: 1,
    domains: everyDomain.length,
    domain: (name: string) => Number(name.slice(1)),
    order: () => context.shuffle(everyDomain.length),
    shuffle(count: number): Int32Array {
      const next = shuffles.shift() ?? [];
      expect(count).toBe(next.length);
      return Int32Array.from(next);
    },
    sample(count: number, amount: number): Int32Array {
      const next = samples.shift() ?? [];
      expect([count, amount]).toEqual([everyDomain.length - 1, next.length]);
      return Int32Array.from(next);
    },
    select: (patterns: readonly string[]) => session.addSelection(patterns),
    banks: heads,
    optimizer: (index: number) => optimizer + 1 + index,
  };
  for (const command of strategy.epoch(context)) {
    const { mode = 'train', ...native } = { optimizer, ...command };
    if (command.kind !== 'run') {
      yield native;
      continue;
    }
    const pass = passes.shift();
    expectPass(command, pass);
    yield { ...native, program: programs[mode], order: Int32Array.from(pass.order) };
  }
  expect(shuffles).toEqual([]);
  expect(samples).toEqual([]);
  expect(passes).toEqual([]);
}

/** A domain's passes of all epochs in one command, of which the last is always kept. */
function* replayConverging(
  strategy: Strategy,
  epochs: readonly Epoch[],
  session: NativeSession,
  { programs, optimizer }: Indices,
): Generator<NativeCommand> {
  const context = {
    epoch: 0,
    epochs: epochs.length,
    patience: 1,
    domains: everyDomain.length,
    domain: (name: string) => Number(name.slice(1)),
    order: () => new Int32Array(),
    shuffle: () => new Int32Array(),
    sample: () => new Int32Array(),
    select: (patterns: readonly string[]) => session.addSelection(patterns),
    banks: heads,
    optimizer: (index: number) => optimizer + 1 + index,
  };
  for (const command of strategy.epoch(context)) {
    if (command.kind === 'broadcast' || command.kind === 'slots') {
      yield command;
      continue;
    }
    expect(command).toMatchObject({ kind: 'converge', passes: epochs.length });
    const own = epochs.flatMap(({ passes }) =>
      passes.filter(({ scope }) => scope === command.domain).flatMap(({ order }) => order),
    );
    const { mode: _, ...native } = command;
    const order = Int32Array.from(own);
    yield { ...native, optimizer, program: programs.train, order, rate: -10 };
  }
}

/** Two epochs of each stage on a session of their own: fit() would end at its best epoch. */
async function train(
  strategy: Strategy | StagedStrategy,
  { optimizer, epochs, stages = [epochs], clipNorm = 0 }: Golden,
) {
  const { batchSize, dim, hidden, start } = fixture;
  const data = dataset();
  const model = models.mlp({ schema: data.schema, embeddingDim: dim, hidden, dropout: 0 });
  const plan = stagesOf(strategy);
  if (plan[0].weightedLoss) model.weightLosses(true);
  const parameters = model.parameters();
  for (const [name, values] of Object.entries(start)) parameters.get(name)?.data.set(values);
  if ('heads' in strategy) expect(model.splitHeads()).toEqual(heads);
  const { graph, output, loss, trainingLoss, space } = model.compile();
  if (plan[0].overlays) model.configureOverlays(plan[0].overlays);
  const session = new (addon().Session)(space, { batchSize, seed: 0, clipNorm });
  try {
    session.addSplit(data.train);
    session.addSplit(data.validation);
    session.setEvaluationProgram(graph, output, loss);
    expect(plan.length).toBe(stages.length);
    for (const [index, stage] of plan.entries()) {
      const own = stage.optimizer ?? optimizerConfig.parse(optimizer);
      const trained = stage.trained === 'heads' ? heads : ['all'];
      const indices = {
        optimizer: session.addOptimizer(nativeSpec(own)),
        programs: {
          train: session.addTrainingProgram(graph, output, trainingLoss, trained),
          gradient: session.addGradientProgram(graph, output, trainingLoss, trained),
        },
      };
      for (const each of stage.optimizers ?? []) session.addOptimizer(nativeSpec(each));
      const drawn = stages[index] as Epoch[];
      if (stage.domainsStop) {
        await session.run([...replayConverging(stage, drawn, session, indices)]);
        continue;
      }
      for (const [epoch, draws] of drawn.entries()) {
        await session.run([...replay(stage, draws, epoch, session, indices)]);
      }
    }
  } finally {
    session.dispose();
  }
  return { model, space };
}

/** What a domain's overlay makes of a shared parameter. */
function effective(
  rule: OverlayRule | undefined,
  space: NativeSpace,
  domain: number,
  parameter: string,
) {
  const values = space.data(parameter).slice();
  const { units, values: held } = space.overlay(domain, parameter);
  const size = held.length / units.length;
  units.forEach((unit, entry) => {
    // A dense parameter's last block reaches beyond its end.
    const end = Math.min(size, values.length - unit * size);
    for (let i = 0; i < end; i++) {
      const own = held[entry * size + i] as number;
      const at = unit * size + i;
      values[at] = rule?.combine === 'replace' ? own : (values[at] as number) + own;
    }
  });
  return values;
}

const cases = Object.entries(fixture.strategies);

describe('strategies beside PyTorch', () => {
  it.each(cases)('%s has its parameters after two epochs', async (_, golden) => {
    const { settings, weightedLoss = false } = golden;
    const configured = strategyOf(strategyConfig.parse(settings));
    const strategy = 'stages' in configured ? configured : { ...configured, weightedLoss };
    const { model, space } = await train(strategy, golden);
    const distances: Record<string, number> = {};
    for (const [name, tensor] of model.parameters()) {
      distances[name] = distance(tensor.data, golden.shared[name] as number[]);
      golden.effective.forEach((state, domain) => {
        const own = effective(model.overlays, space, domain, name);
        distances[`${name} of domain ${domain}`] = distance(own, state[name] as number[]);
      });
    }
    expect(Object.keys(golden.shared).sort()).toEqual([...model.parameters().keys()].sort());
    // All at once: which tensors are off says where.
    expect(Object.entries(distances).filter(([, value]) => !(value <= 1e-4))).toEqual([]);
  });
});
