import { spawnSync } from 'node:child_process';
import { existsSync, truncateSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { baseConfig, main, Sandbox, set } from './sandbox.js';

const box = new Sandbox();
const train = ['train', 'config.json', '-o', 'new'];
const changed = (values: Readonly<Record<string, unknown>>): string[] => [...train, ...set(values)];

beforeAll(async () => {
  await box.done(['train', 'config.json', '-o', 'run', ...set({ epochs: 1 })]);
  await box.done(['prepare', 'config.json', '-o', 'dataset']);
  box.write('broken.json', '{ "data": ');
  box.write('empty.json', '');
  box.write('empty.csv', '');
  box.write('empty.parquet', '');
  box.write('array.json', '[]');
  box.write('number.json', '3');
  box.write('null.json', 'null');
  box.write('us.csv', 'user,item,country,bought\nu1,i1,US,1\n');
  box.write('labels.csv', 'user,item,country,bought\nu1,i1,DE,2\n');
  box.write('holes.csv', 'user,item,country,bought\nu1,,DE,1\nu2,i2,DE,0\n');
  box.write('rows.txt', 'user,item,country,bought\nu1,i1,DE,1\n');
  box.write('columns.jsonl', '{"user":"u1","item":"i1"}\n');
  const { optimizer: _, ...incomplete } = baseConfig;
  box.write('incomplete.json', JSON.stringify(incomplete));
}, 60_000);
afterAll(() => box.remove());

/**
 * Runs what must fail in a folder of its own, which `spoil` may damage before; every file must be
 * left as it was.
 */
async function fails(
  { expect }: Pick<TestContext, 'expect'>,
  code: number,
  args: readonly string[],
  message: RegExp,
  spoil?: (own: Sandbox) => void,
): Promise<void> {
  const own = new Sandbox(box);
  try {
    spoil?.(own);
    const before = own.snapshot();
    const { code: found, stdout, stderr } = await own.run(args);
    expect.soft(stderr).toMatch(message);
    expect.soft(stderr, 'a stack trace is nothing for users').not.toMatch(/^ +at /m);
    expect.soft(stdout).toBe('');
    expect.soft(found).toBe(code);
    expect(own.snapshot()).toEqual(before);
  } finally {
    own.remove();
  }
}

describe.concurrent('exit code 2: usage and config', () => {
  const cases: Record<string, [args: readonly string[], message: RegExp]> = {
    'no command': [[], /Usage: polydomain/],
    'an unknown command': [['trian', 'config.json'], /unknown command 'trian'.*train/s],
    'an unknown option': [[...train, '--resum'], /unknown option '--resum'.*--resume/s],
    'no output': [['train', 'config.json'], /--output/],
    'no config': [['train', '-o', 'new'], /config/],
    'a part that does not exist': [
      ['evaluate', 'run', '--split', 'tests'],
      /train, validation, test/,
    ],
    'a seed that is none': [[...train, '--seed', 'one'], /--seed.*integer/],
    'a seed with a fraction': [[...train, '--seed', '1.5'], /--seed.*integer/],
    'a seed below 0': [[...train, '--seed', '-1'], /seed/],
    'a seed of no characters': [[...train, '--seed', ''], /--seed.*integer/],
    'no epochs': [['demo', '--epochs', '0', '-o', 'new'], /--epochs.*integer/],
    'an unknown way with domains': [
      ['predict', 'run', '--input', 'rows.csv', '--output', 'new.csv', '--unknown-domain', 'skip'],
      /error, shared/,
    ],
    '--json with --output -': [
      ['predict', 'run', '--input', 'rows.csv', '--output', '-', '--json'],
      /--json with --output -/,
    ],
    'a config that is not there': [['train', 'nowhere.json', '-o', 'new'], /'nowhere\.json'/],
    'a config that is a folder': [['train', 'dataset', '-o', 'new'], /'dataset'/],
    'a config in broken JSON': [['train', 'broken.json', '-o', 'new'], /'broken\.json'.*JSON/],
    'an empty config': [['train', 'empty.json', '-o', 'new'], /'empty\.json'.*JSON/],
    'no name for an output': [['train', 'config.json', '-o', ''], /fit\.runFolder: ""; .* a path/],
    'no name for a run': [['evaluate', ''], /folder: ""; expected a path/],
    'a budget of rows without their folder': [
      ['evaluate', 'run', '--data-budget', '0'],
      /--data-budget without --data/,
    ],
    'a profile that is a folder': [[...train, '--profile', 'dataset'], /'dataset' is a folder/],
    'a budget in another form': [
      ['evaluate', 'run', '--overlay-budget', '1e3'],
      /--overlay-budget/,
    ],
    'threads beyond those that there are': [
      ['benchmark', '--no-peers', '--threads', '100000'],
      /--threads.*from 1 to 256/,
    ],
    'more seeds than a comparison ends': [
      ['compare', 'config.json', '-o', 'new', '--seeds', '1000000000'],
      /seeds: 1000000000; expected .*10000/,
    ],
    'an argument too many': [['evaluate', 'run', 'run'], /too many arguments/],
    'a config that is an array': [
      ['train', 'array.json', '-o', 'new'],
      /array\.json.*expected an object/,
    ],
    'a config that is a number, with --set': [
      ['train', 'number.json', '-o', 'new', '--set', 'seed=1'],
      /^ConfigError/,
    ],
    'a config that is null, with --set': [
      ['train', 'null.json', '-o', 'new', '--set', 'seed=1'],
      /^ConfigError/,
    ],
    'a config without an optimizer': [
      ['train', 'incomplete.json', '-o', 'new'],
      /optimizer: missing/,
    ],
    '--set without a value': [[...train, '--set', 'epochs'], /--set epochs/],
    '--set without a key': [[...train, '--set', '=3'], /--set =3/],
    '--set below a number': [[...train, '--set', 'epochs.most=3'], /--set epochs\.most=3/],
    '--set of what every object has': [[...train, '--set', '__proto__.x=3'], /^ConfigError/],
    'an unknown key': [changed({ epoch: 3 }), /'epoch'; did you mean 'epochs'/],
    'an unknown key of the data': [changed({ 'data.lable': 'x' }), /'lable'; did you mean 'label'/],
    'an unknown key of the model': [
      changed({ 'model.hiden': [8] }),
      /'hiden'; did you mean 'hidden'/,
    ],
    'an unknown key of the strategy': [
      changed({ 'strategy.outerrate': 0.1 }),
      /'outerrate'; did you mean 'outerRate'/,
    ],
    'an unknown key of the optimizer': [
      changed({ 'optimizer.learningrate': 0.1 }),
      /'learningrate'; did you mean 'learningRate'/,
    ],
    'an unknown key of finetune': [
      changed({ 'finetune.epoch': 3 }),
      /finetune.*'epoch'; did you mean 'epochs'/,
    ],
    'an unknown model': [changed({ 'model.name': 'mpl' }), /'mpl'; did you mean 'mlp'/],
    'an unknown strategy': [changed({ 'strategy.name': 'mamrd' }), /'mamrd'; did you mean 'mamdr'/],
    'an unknown optimizer': [changed({ 'optimizer.name': 'adma' }), /'adma'; did you mean 'adam/],
    'no epochs in the config': [changed({ epochs: 0 }), /epochs: 0/],
    'half a batch': [changed({ batchSize: 1.5 }), /batchSize: 1\.5/],
    'text in place of a number': [changed({ patience: 'long' }), /patience: "long"/],
    'a rate above 1': [changed({ 'strategy.outerRate': 1.5 }), /strategy\.outerRate: 1\.5/],
    'a learning rate of 0': [
      changed({ 'optimizer.learningRate': 0 }),
      /optimizer\.learningRate: 0/,
    ],
    'a dropout of 1': [changed({ 'model.dropout': 1 }), /model\.dropout: 1/],
    'a layer without units': [changed({ 'model.hidden': [16, 0] }), /model\.hidden\.1: 0/],
    'shares that do not add up to 1': [
      changed({ 'data.split': { random: [0.5, 0.2, 0.2] } }),
      /split\.random/,
    ],
    'neither label nor negatives': [
      changed({ data: { ...baseConfig.data, label: undefined } }),
      /label or negatives/,
    ],
    'more helpers than there are other domains': [
      changed({ 'strategy.helpers': 3 }),
      /strategy\.helpers: 3; expected 2 at most/,
    ],
    'finetune after separate': [
      changed({ strategy: { name: 'separate' }, finetune: {} }),
      /finetune.*separate/,
    ],
    'nesterov without momentum': [
      changed({ optimizer: { name: 'sgd', nesterov: true } }),
      /nesterov.*momentum/,
    ],
    'a run folder that exists': [['train', 'config.json', '-o', 'run'], /'run' exists.*--resume/],
    'a folder of something else': [['train', 'config.json', '-o', 'dataset'], /'dataset' exists/],
    'a dataset folder that exists': [
      ['prepare', 'config.json', '-o', 'dataset'],
      /'dataset' exists/,
    ],
    'a demo folder that exists': [['demo', '-o', 'run'], /'run' exists/],
  };

  it.for(Object.entries(cases))('%s', ([_, [args, message]], context) =>
    fails(context, 2, args, message),
  );
});

describe.concurrent('exit code 3: data and run folders', () => {
  const predict = ['--input', 'rows.csv', '--output', 'new.csv'];
  const source = (name: string): string[] => changed({ 'data.source': name });
  const cases: Record<string, [args: readonly string[], message: RegExp]> = {
    'a data file that is not there': [source('nowhere.csv'), /'nowhere\.csv' does not exist/],
    'a data file of no known format': [source('rows.txt'), /'rows\.txt'.*\.csv/],
    'a data file that is empty': [source('empty.csv'), /'empty\.csv' is empty; expected rows/],
    'a data file that is a folder': [source('run'), /'run' is a folder; expected a CSV/],
    'an empty file to prepare': [
      ['prepare', 'config.json', '-o', 'new', ...set({ 'data.source': 'empty.parquet' })],
      /'empty\.parquet' is empty/,
    ],
    'a dataset folder that is a file': [
      changed({ data: { source: 'empty.csv' } }),
      /'empty\.csv' is not a prepared dataset/,
    ],
    'a run folder that is a file': [['evaluate', 'rows.csv'], /'rows\.csv\/model\.json'/],
    'an output below a file': [['train', 'config.json', '-o', 'rows.csv/new'], /'rows\.csv\/new'/],
    'other data that is a file': [['evaluate', 'run', '--data', 'rows.csv'], /'rows\.csv' is not/],
    'input that is empty': [
      ['predict', 'run', '--input', 'empty.csv', '--output', 'new.csv'],
      /'empty\.csv' is empty/,
    ],
    'input that is a folder': [
      ['predict', 'run', '--input', 'dataset', '--output', 'new.csv'],
      /'dataset' is a folder; expected a CSV/,
    ],
    'nothing on standard input': [
      ['predict', 'run', '--input', '-', '--output', 'new.csv'],
      /'standard input' is empty/,
    ],
    'an output that is a folder': [
      ['predict', 'run', '--input', 'rows.csv', '--output', 'dataset'],
      /'dataset' could not be written: it is a folder/,
    ],
    'no name for scores': [
      ['predict', 'run', '--input', 'rows.csv', '--output', ''],
      /'' could not be written: it has no name/,
    ],
    'a report in place of a folder': [
      ['report', 'run', '-o', 'dataset'],
      /'dataset' could not be written: it is a folder/,
    ],
    'a report about a file': [
      ['report', 'rows.csv', '-o', 'new.html'],
      /'rows\.csv' cannot be read/,
    ],
    'a result below a file': [
      ['benchmark', '--no-peers', '-o', 'rows.csv/new.json'],
      /'rows\.csv' is no folder/,
    ],
    'a dataset folder that is not there': [changed({ data: { source: 'nowhere' } }), /'nowhere'/],
    'a dataset folder that is none': [changed({ data: { source: 'run' } }), /'run'/],
    'a column that is not there': [
      changed({ 'data.features': ['user', 'itme'] }),
      /no column 'itme'; did you mean 'item'/,
    ],
    'a domain column that is not there': [changed({ 'data.domain': 'land' }), /no column 'land'/],
    'a label beside 0 and 1': [source('labels.csv'), /'bought', row 1: '2'; expected 0 or 1/],
    'a missing value': [source('holes.csv'), /'item', row 1: null/],
    'no domain with enough rows': [changed({ 'data.minRows': 10_000 }), /10000 rows/],
    'raw data for prepare that is not there': [
      ['prepare', 'config.json', '-o', 'new', ...set({ 'data.source': 'nowhere.csv' })],
      /'nowhere\.csv'/,
    ],
    'a run folder that is not there': [['evaluate', 'nowhere'], /'nowhere\/model\.json'/],
    'a run folder that is none': [['evaluate', 'dataset'], /'dataset\/model\.json'/],
    'other data that is not there': [['evaluate', 'run', '--data', 'nowhere'], /'nowhere'/],
    'a run folder to predict with that is not there': [
      ['predict', 'nowhere', ...predict],
      /'nowhere/,
    ],
    'input that is not there': [
      ['predict', 'run', '--input', 'nowhere.csv', '--output', 'new.csv'],
      /'nowhere\.csv' does not exist/,
    ],
    'input without a column': [
      ['predict', 'run', '--input', 'columns.jsonl', '--output', 'new.csv'],
      /no column 'country'/,
    ],
    'input with a hole': [
      ['predict', 'run', '--input', 'holes.csv', '--output', 'new.csv'],
      /'item' is null/,
    ],
    'a domain that training has not seen': [
      ['predict', 'run', '--input', 'us.csv', '--output', 'new.csv'],
      /domain 'US'.*DE, FR, UK/,
    ],
    'an output in a folder that is not there': [
      ['predict', 'run', '--input', 'rows.csv', '--output', 'nowhere/new.csv'],
      /'nowhere\/new\.csv' could not be written/,
    ],
  };
  it.for(Object.entries(cases))('%s', ([_, [args, message]], context) =>
    fails(context, 3, args, message),
  );

  it.for([
    ['model.safetensors', 1000],
    ['model.safetensors', 4],
    ['model.json', 100],
    ['vocabulary.jsonl', 100],
    ['specific/embedding.user.weight.safetensors', 500],
  ] as const)('a run folder whose %s ends after %i bytes', async ([name, bytes], context) => {
    const spoil = (own: Sandbox): void => truncateSync(own.path('run', name), bytes);
    const message = new RegExp(`run/${name}'`);
    await fails(context, 3, ['evaluate', 'run'], message, spoil);
    await fails(context, 3, ['predict', 'run', ...predict], message, spoil);
  });

  it('a checkpoint of another run', (context) => {
    const args = ['train', 'config.json', '-o', 'run', '--resume', '--seed', '9'];
    return fails(context, 3, args, /run\/checkpoints\/progress\.json' belongs to another run/);
  });

  it.for(['progress.json', 'state-1.bin'])(
    'a checkpoint whose %s is truncated',
    (name, context) => {
      const args = ['train', 'config.json', '-o', 'run', '--resume', ...set({ epochs: 1 })];
      return fails(context, 3, args, new RegExp(`run/checkpoints/${name}'`), (own) =>
        truncateSync(own.path('run', 'checkpoints', name), 100),
      );
    },
  );
});

describe('exit code 0', () => {
  it.each([['--help'], ['train', '--help'], ['help', 'predict']])('%s %s', async (...args) => {
    const { code, stdout } = await box.run(args.filter((arg) => arg !== undefined));
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: polydomain');
  });
});

it.runIf(existsSync('/dev/full'))('tells where standard output has no room', () => {
  const shell = `"${process.execPath}" "${main}" doctor --json > /dev/full`;
  const { status, stderr } = spawnSync('sh', ['-c', shell], { encoding: 'utf8' });
  expect(stderr).toMatch(/^Error: standard output could not be written: ENOSPC/);
  expect(status).toBe(1);
});

it('tells where standard input finds no room', async () => {
  const { code, stderr } = await box.run(
    ['predict', 'run', '--input', '-', '--output', 'scores.csv'],
    { input: box.text('rows.csv'), largestFile: 1 },
  );
  expect(stderr).toMatch(/^CheckpointError: '.*\.csv' could not be written/);
  expect(code).toBe(3);
});
