import { describe, expect, it } from 'vitest';
import { runConfig } from '../../ts/cli/config.js';
import { ConfigError, fit, optim, strategies } from '../../ts/index.js';
import { parse } from '../../ts/options.js';
import { strategyConfig } from '../../ts/strategies/registry.js';
import { toyData, toyModel } from '../toy.js';

const { NaN: nan, POSITIVE_INFINITY: infinite } = Number;

/** By option: values out of its range. */
const bad: Record<string, readonly unknown[]> = {
  maxSteps: [0, -1, 1.5, nan, '3'],
  helpers: [0, -2, 2.5, nan],
  targetSteps: [0, 0.5, nan],
  outerRate: [0, -0.1, 1.1, nan, infinite, 'fast'],
  regularizationRate: [0, 1.5, nan],
  supportShare: [0, 1.2, nan],
  batch: ['yes', 1],
  average: ['yes', 1],
  balanced: ['yes', 1],
  includeTarget: ['no', 0],
  combine: ['minus', 1],
  specificStart: ['ones', 0],
  specific: [[], 'all', [3]],
  parameters: [[], 'all', [3]],
  domains: [[], 'France', [3]],
  outerOptimizer: [{ name: 'rmsprop' }, { name: 'adam', learningRate: -1 }, 'adam'],
  preTrain: ['yes', 1],
  postTrain: ['yes', 1],
  fineTune: ['yes', 1],
  heads: [[], 'towers.*', [3]],
  headStart: ['zeros', 1],
  preTrainEpochs: [0, 1.5, nan],
  postTrainEpochs: [0, -1],
  fineTuneEpochs: [0, '3'],
  fineTuneOptimizer: [{ name: 'rmsprop' }, { name: 'adam', learningRate: -1 }, 'adam'],
};
const makers = {
  alternate: strategies.alternate,
  joint: strategies.joint,
  separate: strategies.separate,
  'weighted-loss': strategies.weightedLoss,
  pcgrad: strategies.pcgrad,
  maml: strategies.maml,
  reptile: strategies.reptile,
  mldg: strategies.mldg,
  dn: strategies.dn,
  dr: strategies.dr,
  mamdr: strategies.mamdr,
  'd-train': strategies.dTrain,
} as Record<string, (options: object) => unknown>;

/** The options that a strategy's schema has. */
const known = strategyConfig.options.map(({ shape }) => ({
  name: shape.name.value as string,
  keys: Object.keys(shape).filter((key) => key !== 'name'),
}));
const cases = known.flatMap(({ name, keys }) =>
  keys.flatMap((key) => (bad[key] ?? []).map((value) => [name, key, value] as const)),
);

describe('options of strategies out of range', () => {
  it('are tried for every option of every strategy', () => {
    expect(known.flatMap(({ keys }) => keys).filter((key) => !bad[key])).toEqual([]);
    const untried = known.map(({ name }) => name).filter((name) => !makers[name]);
    expect(untried).toEqual([]);
  });

  it.each(cases)('%s: %s %j', (name, key, value) => {
    const make = () => makers[name]?.({ [key]: value });
    expect(make).toThrow(ConfigError);
    // Which strategy and key, the value as it was given, and what would be right.
    expect(make).toThrow(new RegExp(`^${name}\\.${key}\\b.*(; .*expected|'rmsprop')`));
  });

  it.each(known.map(({ name }) => name))('%s knows no other keys', (name) => {
    const make = () => makers[name]?.({ outerRatio: 0.5 });
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(new RegExp(`^${name}: unknown key 'outerRatio'`));
  });

  it('are told by their path in a config', () => {
    const config = {
      data: { source: 'data' },
      model: { name: 'mlp' },
      strategy: { name: 'mamdr', outerRate: 2 },
      optimizer: { name: 'adam' },
    };
    const read = (changes: object) => () => parse(runConfig, { ...config, ...changes }, '');
    expect(read({})).toThrow(/^strategy\.outerRate: 2; .*expected/);
    // What only other strategies know is not what was meant.
    expect(read({ strategy: { name: 'dn', helpers: 2 } })).toThrow(
      /^strategy: unknown key 'helpers'; did you mean '\w+'\? Known: (?!.*helpers).*outerRate/,
    );
    expect(read({ strategy: { name: 'mamdrr' } })).toThrow(/strategy\.name: 'mamdrr'.*'mamdr'/);
    expect(read({ model: { name: 'mlpp' }, strategy: { name: 'dn' } })).toThrow(
      /model\.name: 'mlpp'.*'mlp'/,
    );
    expect(read({ model: { name: 'mlp', hidden: [8, 0] }, strategy: { name: 'dn' } })).toThrow(
      /model\.hidden\.1: 0; .*expected/,
    );
  });

  it.each([
    ['mamdr', strategies.mamdr({ helpers: 3 })],
    ['dr', strategies.dr({ helpers: 3 })],
    ['pcgrad', strategies.pcgrad({ helpers: 3 })],
  ])('%s: more helpers than there are other domains', async (_, strategy) => {
    const data = toyData();
    const options = { strategy, optimizer: optim.adam(), epochs: 1 };
    const run = () => fit(toyModel(data), data, options);
    await expect(run()).rejects.toThrow(ConfigError);
    await expect(run()).rejects.toThrow(/strategy\.helpers: 3; expected 2 at most with 3 domains/);
  });

  it('are found where they depend on the data or on each other', async () => {
    const data = toyData();
    const run = (strategy: ReturnType<typeof strategies.dn>) =>
      fit(toyModel(data), data, { strategy, optimizer: optim.adam(), epochs: 1 });
    await expect(run(strategies.separate({ domains: ['d7'] }))).rejects.toThrow(
      /separate.*domain 'd7'.*'d0'/,
    );
    await expect(run(strategies.dn({ parameters: ['tower.*'] }))).rejects.toThrow(
      /^strategy\.parameters: pattern 'tower\.\*' matches no parameter; there are 'embedding/,
    );
    await expect(run(strategies.mamdr({ specific: ['!tower.*'] }))).rejects.toThrow(
      /^strategy\.specific: pattern '!tower\.\*' matches no parameter/,
    );
    expect(() => strategies.maml({ average: true })).toThrow(
      /maml\.average: true; expected maxSteps with it/,
    );
    expect(() => strategies.mldg({ average: true })).toThrow(ConfigError);
  });
});
