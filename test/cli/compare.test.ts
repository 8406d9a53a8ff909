import { readdirSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../ts/compare/job.js';
import type { Comparison, EntryResult } from '../../ts/compare/result.js';
import { baseConfig, Sandbox, set } from './sandbox.js';

const { model, strategy: _, ...base } = baseConfig;
const entries = [
  { label: 'MLP', strategy: { name: 'alternate' } },
  {
    label: 'MLP + MAMDR',
    strategy: { name: 'mamdr', helpers: 1 },
    tune: { 'strategy.outerRate': [0.1, 0.5], 'optimizer.learningRate': [0.001, 0.01] },
  },
  {
    label: 'diverges',
    strategy: { name: 'alternate' },
    optimizer: { name: 'sgd', learningRate: 1e30 },
  },
];
const config = { ...base, model, compare: { seeds: 2, entries } };

/** What of a comparison does not depend on the clock. */
function timeless({ entries, ...rest }: Comparison): unknown {
  return {
    ...rest,
    entries: entries.map(({ seconds: _, peakBytes: __, runs, tuning, ...entry }) => ({
      ...entry,
      runs: runs.map(({ seconds: _, peakBytes: __, ...run }) => run),
      tried: tuning?.tried.map(({ seconds: _, ...trial }) => trial),
    })),
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const box = new Sandbox();
let comparison: Comparison;
const entryOf = (label: string): EntryResult =>
  comparison.entries.find((entry) => entry.label === label) as EntryResult;

beforeAll(async () => {
  box.write('compare.json', JSON.stringify(config));
  const { code, stdout, stderr } = await box.run([
    'compare',
    'compare.json',
    '-o',
    'out',
    '--json',
  ]);
  expect(stderr).toMatch(/\[9\/9\] diverges, seed 2/);
  // One entry fails.
  expect(code).toBe(1);
  const { output, ...rest } = JSON.parse(stdout) as Comparison & { output: string };
  expect(output).toBe('out');
  comparison = rest;
}, 60_000);
afterAll(() => box.remove());

describe('compare', () => {
  it('prints what compare.json holds', () => {
    expect(box.json('out', 'compare.json')).toEqual(comparison);
    expect(comparison).toMatchObject({ format: 'polydomain-compare', version: 1, seeds: [1, 2] });
    expect(comparison.baseline).toBe('MLP');
  });

  it('has the same scores as train with the same settings', async () => {
    const changes = set({ strategy: { name: 'alternate' }, seed: 2 });
    await box.done(['train', 'config.json', '-o', 'run', ...changes]);
    const run = entryOf('MLP').runs.find(({ seed }) => seed === 2);
    const record = box.json<RunRecord>('out', String(run?.file));
    expect(record.metrics).toEqual(box.json('run', 'metrics.json'));
    expect(record.history.map(({ epoch }) => epoch)).toEqual([0, 1, 2]);
    expect(record.peakBytes).toBeGreaterThan(2e7);
    expect(record.seconds).toBeGreaterThan(0);
  });

  it('averages over seeds and domains', () => {
    const { auc, runs, rank } = entryOf('MLP');
    const records = runs.map(({ file }) => box.json<RunRecord>('out', file));
    const aucs = records.map(({ metrics }) => Number(metrics.test.auc.mean));
    expect(auc.mean?.mean).toBeCloseTo(mean(aucs), 12);
    expect(auc.mean?.deviation).toBeCloseTo(
      Math.abs(Number(aucs[0]) - Number(aucs[1])) / Math.SQRT2,
      12,
    );
    const { train, validation, test } = comparison.rows;
    const domains = Object.keys(test);
    const rows = domains.map((d) => Number(train[d]) + Number(validation[d]) + Number(test[d]));
    expect(rows.reduce((sum, count) => sum + count)).toBe(600);
    const weighted = domains.map((d, i) => Number(auc.byDomain[d]?.mean) * Number(rows[i]));
    expect(auc.samples?.mean).toBeCloseTo(mean(weighted) / 200, 12);
    const others = entryOf('MLP + MAMDR').auc;
    const ranks = domains.map((d) =>
      Number(auc.byDomain[d]?.mean) > Number(others.byDomain[d]?.mean) ? 1 : 2,
    );
    expect(rank).toBeCloseTo(mean(ranks), 12);
  });

  it('tells how sure the difference to the baseline is', async () => {
    const base = entryOf('MLP');
    const { auc, significance } = entryOf('MLP + MAMDR');
    const difference = Number(auc.mean?.mean) - Number(base.auc.mean?.mean);
    expect(significance?.difference).toBeCloseTo(difference, 12);
    expect(significance?.low).toBeLessThan(difference);
    expect(significance?.high).toBeGreaterThan(difference);
    expect(significance?.p).toBeGreaterThan(0);
    expect([base.significance, entryOf('diverges').significance]).toEqual([null, null]);
    // Without test scores, from the earlier result as long as its runs are the same ones.
    const kept = new Sandbox(box);
    const again = ['compare', 'compare.json', '-o', 'out', '--resume'];
    const significances = () =>
      kept.json<Comparison>('out', 'compare.json').entries.map((entry) => entry.significance);
    rmSync(kept.path('out', 'scores'), { recursive: true });
    expect((await kept.run(again)).stdout).toMatch(
      /note: MLP \+ MAMDR: no test scores of mlp-.*that of the compare.json before/,
    );
    expect(significances()).toEqual([null, significance, null]);
    rmSync(kept.path('out', 'compare.json'));
    expect((await kept.run(again)).stdout).toMatch(/no test scores of mlp-.*is left out/);
    expect(significances()).toEqual([null, null, null]);
    kept.remove();
  });

  it('tunes with the first seed by validation, and records what it tried', () => {
    const { tuning, runs, settings } = entryOf('MLP + MAMDR');
    expect(tuning?.tried.map(({ values }) => Object.values(values))).toEqual([
      [0.1, 0.001],
      [0.1, 0.01],
      [0.5, 0.001],
      [0.5, 0.01],
    ]);
    const scores = tuning?.tried.map(({ validationAuc }) => Number(validationAuc)) ?? [];
    const chosen = tuning?.tried[scores.indexOf(Math.max(...scores))];
    expect(tuning?.chosen).toEqual(chosen?.values);
    expect(settings).toMatchObject({
      strategy: { outerRate: chosen?.values['strategy.outerRate'] },
      optimizer: { learningRate: chosen?.values['optimizer.learningRate'] },
    });
    expect(runs.map(({ seed }) => seed)).toEqual([1, 2]);
    expect(runs[0]?.validationAuc).toBe(chosen?.validationAuc);
  });

  it('reports a run that fails and goes on with the others', () => {
    const { runs, failures, auc, rank } = entryOf('diverges');
    expect(runs).toEqual([]);
    expect(failures.map(({ seed }) => seed)).toEqual([1, 2]);
    expect(failures[0]?.error).toMatch(/TrainingError: domain '.*the loss is/);
    expect([auc.mean, rank]).toEqual([null, null]);
  });

  it('writes a table and compare.csv', async () => {
    const lines = box.text('out', 'compare.csv').trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^entry,.*,auc:DE,auc:FR,auc:UK$/);
    expect(lines[1]).toMatch(/^MLP,2,0,0\./);
    const { stdout } = await box.run(['compare', 'compare.json', '-o', 'out', '--resume']);
    expect(stdout).toMatch(/^test AUC +AUC_d +AUC_s +RANK/);
    expect(stdout).toMatch(/\nMLP \* +0\.\d{4} ±0\.\d{4}/);
    expect(stdout).toMatch(/\nMLP \+ MAMDR +0\..* [+-]0\.\d{4} \[[+-]0\.\d{4}, [+-]0\.\d{4}\] p /);
    expect(stdout).toContain('failed: diverges, seed 1');
  });

  it('leaves out with --resume what is done, and adds what is new', async () => {
    const more = { seeds: 3, entries: entries.slice(0, 1) };
    box.write('more.json', JSON.stringify({ ...config, compare: more }));
    const { code, stderr } = await box.run(['compare', 'more.json', '-o', 'out', '--resume']);
    expect(code).toBe(0);
    expect(stderr).toContain('[1/3] MLP, seed 1: done before');
    expect(stderr).toContain('[2/3] MLP, seed 2: done before');
    expect(stderr).toMatch(/\[3\/3\] MLP, seed 3: .* expected at most/);
    const grown = box.json<Comparison>('out', 'compare.json');
    expect(grown.entries[0]?.runs).toHaveLength(3);
  });

  it('knows a run again that is older than an option, and not where an option has changed', async () => {
    const older = new Sandbox(box);
    const files = readdirSync(older.path('out', 'runs')).filter((name) =>
      name.startsWith('mlp-seed'),
    );
    const rewrite = (change: (settings: Record<string, Record<string, unknown>>) => void): void => {
      for (const file of files) {
        const record = older.json<RunRecord>('out', 'runs', file);
        const settings = structuredClone(record.settings) as Parameters<typeof change>[0];
        change(settings);
        older.write(`out/runs/${file}`, JSON.stringify({ ...record, settings }));
      }
    };
    const two = { seeds: 2, entries: entries.slice(0, 1) };
    older.write('two.json', JSON.stringify({ ...config, compare: two }));
    const again = async () =>
      (await older.run(['compare', 'two.json', '-o', 'out', '--resume'])).stderr;
    rewrite(({ model }) => {
      expect(model).toHaveProperty('batchNorm', false);
      delete model?.batchNorm;
    });
    expect(await again()).toMatch(/MLP, seed 1: done before[\s\S]*MLP, seed 2: done before/);
    rewrite(({ model }) => {
      Object.assign(model ?? {}, { batchNorm: true });
    });
    expect(await again()).not.toContain('done before');
    older.remove();
  });

  it('crosses models and strategies', async () => {
    const crossing = ['--models', 'mlp,wdl', '--strategies', 'alternate,mamdr', '--seeds', '1'];
    const args = ['compare', 'config.json', '-o', 'crossed', ...crossing, '--json'];
    const { entries } = JSON.parse(await box.done(args)) as Comparison;
    expect(entries.map(({ label }) => label)).toEqual([
      'mlp, alternate',
      'mlp, mamdr',
      'wdl, alternate',
      'wdl, mamdr',
    ]);
    // The config's own options where the name is the same, else the defaults.
    expect(entries[1]?.settings).toMatchObject({
      model: { hidden: [16, 8] },
      strategy: { helpers: 1 },
    });
    expect(entries[2]?.settings).not.toMatchObject({ model: { hidden: [16, 8] } });
    expect(entries[0]?.auc.mean?.deviation).toBeNull();
  });

  it('is the same when it was interrupted and resumed', async () => {
    const long = { epochs: 40, patience: 40, compare: { seeds: 1, entries: entries.slice(0, 2) } };
    box.write('long.json', JSON.stringify({ ...config, ...long }));
    const running = box.start(['compare', 'long.json', '-o', 'cut']);
    expect(await running.says('[2/5]')).toBe(true);
    expect(await running.says('mamdr epoch 2')).toBe(true);
    running.child.kill('SIGINT');
    expect((await running.finished).code).toBe(130);
    expect(box.exists('cut', 'compare.json')).toBe(false);
    const { stderr } = await box.run(['compare', 'long.json', '-o', 'cut', '--resume']);
    expect(stderr).toContain('[1/5] MLP, seed 1: done before');
    await box.done(['compare', 'long.json', '-o', 'whole']);
    expect(timeless(box.json('cut', 'compare.json'))).toEqual(
      timeless(box.json('whole', 'compare.json')),
    );
  }, 60_000);

  it('has the same results with rows that stay on disk, where domains fit a window', async () => {
    box.write('raw.json', JSON.stringify({ ...base, model, strategy: { name: 'alternate' } }));
    await box.done(['prepare', 'raw.json', '-o', 'prepared']);
    const own = { seeds: 2, entries: [entries[0], { ...entries[1], tune: undefined }] };
    const resultOf = async (output: string, data: object): Promise<unknown> => {
      box.write('disk.json', JSON.stringify({ ...config, data, compare: own }));
      const args = ['compare', 'disk.json', '-o', output, '--json'];
      const result = JSON.parse((await box.done(args)) as string) as Comparison;
      const { output: _, ...rest } = timeless(result) as { output: string };
      return JSON.parse(JSON.stringify(rest, (key, value) => (key === 'file' ? '' : value)));
    };
    const [source, dataBudget] = ['prepared', 8000];
    const memory = await resultOf('memory', { source });
    expect(await resultOf('disk', { source, dataBudget })).toEqual(memory);
    // Another budget has other windows.
    box.write(
      'disk.json',
      JSON.stringify({ ...config, data: { source, dataBudget: 0 }, compare: own }),
    );
    const { stderr } = await box.run(['compare', 'disk.json', '-o', 'disk', '--resume']);
    expect(stderr).not.toContain('done before');
  }, 60_000);

  it('tells what is wrong before anything is run', async () => {
    const bad = async (compare: unknown, ...args: string[]) => {
      box.write('bad.json', JSON.stringify({ ...config, compare }));
      const { code, stderr } = await box.run(['compare', 'bad.json', '-o', 'none', ...args]);
      expect(code).toBe(2);
      expect(box.exists('none')).toBe(false);
      return stderr;
    };
    const one = (entry: object) => bad({ entries: [{ label: 'x', ...entry }] });
    const alternate = { name: 'alternate' };
    expect(await one({ model: { name: 'mlpp' } })).toMatch(/entries 'x'\.model\.name: 'mlpp'.*mlp/);
    expect(await one({ strategy: { name: 'mamdr', helpers: 9 } })).toMatch(
      /entries 'x': strategy\.helpers: 9; expected 2 at most/,
    );
    expect(await one({ strategy: alternate, tune: { 'model.hiden': [1] } })).toMatch(
      /entries 'x': model: unknown key 'hiden'; did you mean 'hidden'/,
    );
    expect(await one({ strategy: alternate, tune: { data: [1] } })).toMatch(/tune: unknown key/);
    expect(await one({})).toMatch(/entries 'x': strategy: missing/);
    expect(await bad({ entries: [entries[0], entries[0]] })).toMatch(
      /'MLP': the label is there twice/,
    );
    expect(await bad({ entries, baseline: 'MPL' })).toMatch(/baseline: 'MPL'; did you mean 'MLP'/);
    expect(await bad({ entries, seeds: [1, 1] })).toMatch(/seeds: \[1,1\]; expected each once/);
    expect(await bad({ entries }, '--models', 'mlp')).toMatch(/expected one of both/);
    expect(await bad({ entries }, '--set', 'from=run')).toMatch(/unknown key 'from'/);
    expect(await bad({}, '--models', 'nope', '--strategies', 'dn')).toMatch(/'nope, dn'.*'nope'/);
    const { code, stderr } = await box.run(['compare', 'compare.json', '-o', 'out']);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/'out' exists.*--resume/)]);
  }, 60_000);
});
