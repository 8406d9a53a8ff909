import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  compare,
  Dataset,
  evaluate,
  type FitOptions,
  fit,
  gradientCosines,
  onlineRetail,
  type Strategy,
  strategies,
} from '../../ts/index.js';
import { errorOf } from '../error-of.js';
import { temporaryFolder } from '../folder.js';
import { dataOf, makers, trainingOptions } from '../purchases.js';

// What JavaScript lets through and TypeScript does not.

const inFolder = temporaryFolder();
const data = dataOf(['a', 'b']);
const options: FitOptions = { ...trainingOptions, strategy: strategies.alternate(), epochs: 1 };
const train = (changes: object) => fit(makers.mlp(data), data, { ...options, ...changes });
const own = (strategy: object) =>
  train({ strategy: { name: 'own', options: {}, *epoch() {}, ...strategy } });
const circular: Record<string, unknown> = {};
circular.self = circular;

describe('wrong arguments', () => {
  const nothing = undefined as never;
  const cases: Record<string, [attempt: () => unknown, message: RegExp]> = {
    'no options': [() => fit(makers.mlp(data), data, nothing), /^fit: missing; expected object/],
    'no data': [() => fit(makers.mlp(data), nothing, options), /^data: missing; expected a Datas/],
    'columns for data': [
      () => fit(makers.mlp(data), { user: ['u1'] } as never, options),
      /^data: {"user":\["u1"\]}; expected a Dataset/,
    ],
    'no model': [() => fit(nothing, data, options), /^model: missing; expected a model/],
    'a maker for a model': [
      () => fit(makers.mlp as never, data, options),
      /^model: function mlp; expected a model, or a module/,
    ],
    'a name for a strategy': [
      () => train({ strategy: 'dn' }),
      /strategy: "dn"; expected one of st/,
    ],
    'a maker for a strategy': [
      () => train({ strategy: strategies.dn }),
      /strategy: function dn; expected one of strategies, such as/,
    ],
    'a strategy without a name': [() => own({ name: undefined }), /strategy\.name: missing/],
    'a strategy whose options are no JSON': [
      () => own({ options: { rate: 1n } }),
      /strategy\.options: .*; expected what JSON can hold/,
    ],
    'an epoch of nothing': [
      () => own({ epoch: () => 7 }),
      /'own': epoch\(\) gave 7; expected a gen/,
    ],
    'an epoch with something else': [
      () => own({ epoch: () => [null] }),
      /'own': null; expected a command/,
    ],
    'an epoch with a command of no kind': [
      () => own({ epoch: () => [{ kind: null }] }),
      /'own': a command of kind null; expected one of run, converge/,
    ],
    'an epoch with a command that every object has': [
      () => own({ epoch: () => [{ kind: 'constructor' }] }),
      /command 'constructor': unknown; did you mean/,
    ],
    'a symbol for a domain of a command': [
      () => own({ epoch: () => [{ kind: 'run', domain: Symbol('a') }] }),
      /command 'run': domain Symbol\(a\); expected an integer from 0/,
    ],
    'a model that describes itself as a number': [
      () => {
        const model = makers.mlp(data);
        model.describe = () => 3 as never;
        return fit(model, data, { ...options, runFolder: inFolder('described') });
      },
      /^model\.describe\(\): 3; expected object/,
    ],
    'a listener that is none': [
      () => train({ onEvent: 'log' }),
      /fit\.onEvent: "log"; .*a function/,
    ],
    'a signal that is none': [() => train({ signal: {} }), /fit\.signal: {}; expected an AbortSig/],
    'a folder that is none': [() => train({ runFolder: 7 }), /fit\.runFolder: 7; expected string/],
    'a folder without a name': [() => train({ runFolder: '' }), /fit\.runFolder: ""; .* a path/],
    'a config that is no JSON': [
      () => train({ runFolder: inFolder('run'), config: circular }),
      /fit\.config: .*; expected what JSON can hold/,
    ],
    'a part that does not exist': [
      () => evaluate(makers.mlp(data), data, 'valid' as never),
      /^split: "valid"; expected one of "train"\|"validation"\|"test"/,
    ],
    'a part of data that does not exist': [() => data.split('valid' as never), /^split: "valid"/],
    'no data to evaluate': [() => evaluate(makers.mlp(data), nothing), /^data: missing/],
    'no data to compare': [() => gradientCosines(makers.mlp(data), nothing), /^data: missing/],
    'a run for a vocabulary': [
      () => data.as({ model: 1 } as never),
      /^vocabulary: {"model":1}; exp/,
    ],
    'nothing to continue': [() => data.continuing(nothing), /^vocabulary: missing/],
    'a key of the bundled data': [
      () => onlineRetail({ sed: 1 } as never),
      /^onlineRetail: unknown key 'sed'; did you mean 'seed'/,
    ],
    'null for the options of a comparison of gradients': [
      () => gradientCosines(makers.mlp(data), data, null as never),
      /^gradientCosines: null; expected object/,
    ],
    'texts for domains': [
      () => gradientCosines(makers.mlp(data), data, { domains: ['a'] as never }),
      /^gradientCosines\.domains\.0: "a"; expected number/,
    ],
    'a number to start from': [
      () => train({ from: Object.create(null) }),
      /^fit\.from: {}; expected a run folder, or what fit or load gave/,
    ],
    'a folder of data that is none': [() => data.save(3 as never), /^folder: 3; expected string/],
    'a folder of data without a name': [() => data.save(''), /^folder: ""; expected a path/],
    'null for the ids of prepared data': [
      () =>
        Dataset.prepare(
          { source: 'rows.csv', domain: 'd', label: 'l', features: ['f'], split: { column: 'p' } },
          inFolder('prepared'),
          null as never,
        ),
      /^prepare: null; expected an object of options/,
    ],
    'a folder of prepared data that is none': [
      () =>
        Dataset.prepare(
          { source: 'rows.csv', domain: 'd', label: 'l', features: ['f'], split: { column: 'p' } },
          Symbol('folder') as never,
        ),
      /^folder: Symbol\(folder\); expected string/,
    ],
    'a feature that there is none of': [
      () => data.vocabulary.encode(7, 'u1'),
      /^feature: 7; expected its place among 2, from 0/,
    ],
    'a name for a feature': [
      () => data.vocabulary.column('user' as never, ['u1']),
      /^feature: "user"; expected its place among 2/,
    ],
    'values of a feature that is none': [
      () => data.vocabulary.valuesOf(null as never),
      /^feature: null; expected its place/,
    ],
    'a comparison without options': [() => compare({} as never, nothing), /^compare: missing/],
  };

  it.each(Object.entries(cases))('are told: %s', async (_, [attempt, message]) => {
    const error = await errorOf(attempt);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
  });

  it('are told by a result that has no folder', async () => {
    const result = await fit(makers.mlp(data), data, options);
    const error = await errorOf(() => result.save(null as never));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/^folder: null; expected string/);
  });

  it('leave the model as it was', async () => {
    const model = makers.mlp(data);
    const broken = { name: 'own', options: {}, epoch: () => 7 } as unknown as Strategy;
    await errorOf(() => fit(model, data, { ...options, strategy: broken }));
    await fit(model, data, options);
  });
});

it('ends an epoch that never ends when it is aborted', async () => {
  const signal = AbortSignal.timeout(100);
  const endless: Strategy = {
    name: 'endless',
    options: {},
    *epoch() {
      for (;;) yield { kind: 'run', domain: 0 };
    },
  };
  await expect(train({ strategy: endless, signal })).rejects.toThrow(/timeout/);
});
