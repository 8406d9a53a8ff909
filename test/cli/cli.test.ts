import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runConfig } from '../../ts/cli/config.js';
import { Dataset, load } from '../../ts/index.js';
import { readTensors } from '../../ts/io/safetensors.js';
import { readVocabulary } from '../../ts/io/vocabulary-file.js';
import { baseConfig, csvOf, Sandbox, set } from './sandbox.js';

const byDomain = z.record(z.string(), z.number().nullable());
const split = z.strictObject({
  auc: z.strictObject({
    mean: z.number().nullable(),
    weighted: z.number().nullable(),
    byDomain,
    undefined: z.array(z.string()),
  }),
  loss: z.strictObject({
    mean: z.number().nullable(),
    weighted: z.number().nullable(),
    byDomain,
  }),
  rows: z.record(z.string(), z.int()),
});
const parts = { train: split, validation: split, test: split };
const metricsFile = z.strictObject({
  ...parts,
  stages: z.array(z.strictObject({ name: z.string(), ...parts })),
});
const trainReport = z.strictObject({
  output: z.string(),
  seconds: z.number(),
  bestEpoch: z.int(),
  metrics: metricsFile,
});

const box = new Sandbox();
let stdout = '';
let stderr = '';

beforeAll(async () => {
  ({ stdout, stderr } = await box.run(['train', 'config.json', '-o', 'run', '--json']));
}, 60_000);
afterAll(() => box.remove());

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe('train', () => {
  it('prints one JSON document on stdout, and progress on stderr', () => {
    expect(stdout.endsWith('}\n')).toBe(true);
    expect(stdout.trimEnd()).not.toContain('\n');
    const report = trainReport.parse(JSON.parse(stdout));
    expect(report.output).toBe('run');
    expect(report.metrics).toEqual(box.json('run', 'metrics.json'));
    expect(stderr).toMatch(/mamdr epoch 1\/3: loss .*mamdr epoch 3\/3/s);
  });

  it('prints a table without --json', async () => {
    const text = await box.done(['train', 'config.json', '-o', 'table']);
    expect(text).toMatch(/^domain +rows +AUC +loss\n/);
    for (const domain of ['DE', 'FR', 'UK']) expect(text).toContain(`\n${domain} `);
    expect(text).toContain('Run folder: table\n');
  });

  it('writes its config fully resolved, which leads to the same run again', async () => {
    const stored = box.json<Record<string, unknown>>('run', 'config.json');
    const strategy = { ...baseConfig.strategy, regularizationRate: 0.1 };
    const data = { ...baseConfig.data, source: box.path('rows.csv') };
    expect(stored).toEqual(runConfig.parse({ ...baseConfig, data, strategy }));
    expect(stored).toEqual(runConfig.parse(stored));
    expect(stored).toMatchObject({
      data: { minRows: 1 },
      strategy: { name: 'mamdr', helpers: 1, outerRate: 0.1, includeTarget: true },
      optimizer: { name: 'adam', learningRate: 0.01, beta1: 0.9, epsilonForm: 'torch' },
      patience: 3,
      checkpointEvery: 60,
    });
    await box.done(['train', 'run/config.json', '-o', 'again']);
    expect(box.outcome('again')).toEqual(box.outcome('run'));
  });

  it('writes metrics.json in its documented form', async () => {
    const metrics = metricsFile.parse(box.json('run', 'metrics.json'));
    expect(metrics.stages).toEqual([]);
    const data = await Dataset.open({ ...sourceConfig(), source: box.path('rows.csv') });
    for (const part of ['train', 'validation', 'test'] as const) {
      const { auc, loss, rows } = metrics[part];
      const { domainOffsets } = data.split(part);
      const counts = data.schema.domains.map(
        (name, d) => [name, Number(domainOffsets[d + 1]) - Number(domainOffsets[d])] as const,
      );
      expect(Object.entries(rows)).toEqual(counts);
      const total = counts.reduce((sum, [, count]) => sum + count, 0);
      for (const scores of [auc, loss]) {
        const values = counts.map(([name]) => Number(scores.byDomain[name]));
        expect(scores.mean).toBeCloseTo(mean(values), 12);
        const weighted = counts.reduce((sum, [, rows], d) => sum + rows * Number(values[d]), 0);
        expect(scores.weighted).toBeCloseTo(weighted / total, 12);
      }
      expect(auc.undefined).toEqual([]);
    }
  });

  it('has null for a domain of one class, which no mean counts', async () => {
    const lines = csvOf(600).trimEnd().split('\n');
    const parted = lines.map((line, row) => {
      if (row === 0) return `${line},part`;
      const part = ['train', 'val', 'test'][Math.max(0, (row % 5) - 2)];
      return part === 'test' ? `${line.replace(/(UK),0$/, '$1,1')},test` : `${line},${part}`;
    });
    box.write('parted.csv', `${parted.join('\n')}\n`);
    await box.done([
      ...['train', 'config.json', '-o', 'parted'],
      ...set({ 'data.source': 'parted.csv', 'data.split': { column: 'part' } }),
    ]);
    const { validation, test } = metricsFile.parse(box.json('parted', 'metrics.json'));
    expect(validation.auc.undefined).toEqual([]);
    expect(test.auc.undefined).toEqual(['UK']);
    expect(test.auc.byDomain.UK).toBe(null);
    expect(test.auc.mean).toBeCloseTo(
      mean([Number(test.auc.byDomain.DE), Number(test.auc.byDomain.FR)]),
      12,
    );
    expect(test.loss.byDomain.UK).toBeGreaterThan(0);
  });

  it('writes events.jsonl: an event in JSON per line', () => {
    const text = box.text('run', 'events.jsonl');
    expect(text.endsWith('\n')).toBe(true);
    const events = text
      .trimEnd()
      .split('\n')
      .map((line) =>
        z.object({ time: z.iso.datetime(), kind: z.string() }).parse(JSON.parse(line)),
      );
    expect(events.map(({ kind }) => kind)).toEqual([
      ...['start', 'phase', 'epoch', 'epoch', 'epoch', 'checkpoint', 'end'],
    ]);
    const times = events.map(({ time }) => time);
    expect(times).toEqual([...times].sort());
  });

  it('writes the model: model.json, safetensors and vocabulary', async () => {
    const model = box.json<Record<string, unknown>>('run', 'model.json');
    const sizes = { user: 41, item: 31 };
    expect(model).toMatchObject({
      format: 'polydomain-model',
      version: 1,
      name: 'mlp',
      options: { embeddingDim: 8, hidden: [16, 8], dropout: 0.2 },
      schema: { label: 'bought', domain: 'country', domains: ['DE', 'FR', 'UK'] },
      overlays: { combine: 'plus', start: 'neutral', specific: ['all'] },
    });
    const tensors = await readTensors(box.path('run', 'model.safetensors'));
    const lengths = [...tensors.values()].map((values) => values.length).sort((a, b) => a - b);
    // Tables of domains, items and users; weights and biases of two hidden layers; the output's.
    const tables = [4 * 8, sizes.item * 8, sizes.user * 8];
    const layers = [24 * 16, 16, 16 * 8, 8, 8, 1];
    expect(lengths).toEqual([...tables, ...layers].sort((a, b) => a - b));
    const vocabulary = await readVocabulary(box.path('run'));
    expect(vocabulary.values.map((values) => values.length)).toEqual([40, 30]);
    expect([...(vocabulary.values[0] ?? [])].sort()).toEqual(
      Array.from({ length: 40 }, (_, user) => `u${user}`).sort(),
    );
    const files = Object.keys(box.snapshot('run'));
    expect(files.filter((name) => name.startsWith('specific/'))).toHaveLength(tensors.size);
    expect(files.filter((name) => name.includes('writing'))).toEqual([]);
  });

  it('takes changes of the config as JSON or text, also of nested keys', async () => {
    await box.done([
      ...['train', 'config.json', '-o', 'changed', '--set', 'model.hidden=[12]', 'epochs=2'],
      ...['--set', 'optimizer={"name":"sgd"}', '--set', 'optimizer.learningRate=5e-2'],
      ...['--set', 'strategy={}', '--set', 'strategy.name=dn', '--set', 'finetune.epochs=2'],
      ...['--set', 'data.source=rows.csv'],
    ]);
    expect(box.json('changed', 'config.json')).toMatchObject({
      data: { source: box.path('rows.csv') },
      model: { name: 'mlp', hidden: [12] },
      optimizer: { name: 'sgd', learningRate: 0.05, momentum: 0 },
      strategy: { name: 'dn' },
      finetune: { epochs: 2 },
      epochs: 2,
    });
    expect(box.json('changed', 'model.json')).toMatchObject({ options: { hidden: [12] } });
  });

  it('takes a seed in place of the config: another run, the same each time', async () => {
    for (const [name, seed] of Object.entries({ one: '1', two: '2', twice: '2' })) {
      await box.done(['train', 'config.json', '-o', name, '--seed', seed, '--set', 'seed=7']);
      expect(box.json('run', 'config.json')).toMatchObject({ seed: 1 });
      expect(box.json(name, 'config.json')).toMatchObject({ seed: Number(seed) });
    }
    expect(box.outcome('one')).toEqual(box.outcome('run'));
    expect(box.outcome('twice')).toEqual(box.outcome('two'));
    expect(box.outcome('two')['model.safetensors']).not.toBe(
      box.outcome('one')['model.safetensors'],
    );
  });

  it('finetunes afterwards where the config says so', async () => {
    const args = ['--set', 'finetune={"learningRate":0.1,"epochs":4}'];
    const text = await box.done(['train', 'config.json', '-o', 'tuned', ...args]);
    expect(text).toMatch(/test AUC after mamdr: 0\.\d{4}\n/);
    const tuned = metricsFile.parse(box.json('tuned', 'metrics.json'));
    const { stages: _, ...plain } = metricsFile.parse(box.json('run', 'metrics.json'));
    expect(tuned.stages).toEqual([{ name: 'mamdr', ...plain }]);
    expect(tuned.train).not.toEqual(plain.train);
    expect(box.json('tuned', 'config.json')).toMatchObject({
      finetune: { learningRate: 0.1, epochs: 4, patience: 3, minDelta: 1e-4 },
    });
    expect(JSON.parse(await box.done(['evaluate', 'tuned', '--json']))).toEqual(tuned.test);
  });

  it('goes on with new data where another run has ended', async () => {
    // Users 0 to 9 are gone, and as many are new.
    box.write('later.csv', csvOf(600).replaceAll(/^u(\d),/gm, 'new$1,'));
    const args = ['--set', 'data.source=later.csv', '--set', 'from=run'];
    const usersOf = async (run: string) =>
      (await readVocabulary(box.path(run))).values[0] as string[];
    const before = await usersOf('run');
    const train = (output: string, continuing: string) =>
      box.done([
        'train',
        'config.json',
        '-o',
        output,
        ...args,
        '--set',
        `continuing=${continuing}`,
      ]);
    await train('on', 'true');
    expect((await usersOf('on')).slice(0, 40)).toEqual(before);
    expect(await usersOf('on')).toHaveLength(50);
    await train('evicted', '{"unseenFor":1}');
    expect(await usersOf('evicted')).toHaveLength(40);
    (await usersOf('evicted')).forEach((user, id) => {
      if (/^u\d$/.test(before[id] as string)) expect(user).toMatch(/^new/);
      else expect(user).toBe(before[id]);
    });
    expect(JSON.parse(await box.done(['evaluate', 'evicted', '--json']))).toEqual(
      metricsFile.parse(box.json('evicted', 'metrics.json')).test,
    );
    // The same from rows that stay on disk, prepared with these ids.
    const continuing = ['--set', 'continuing={"unseenFor":1}'];
    await box.done(['prepare', 'config.json', '-o', 'later', ...args, ...continuing]);
    const folder = ['--set', 'data={"source":"later","dataBudget":4096}', '--set', 'from=run'];
    await box.done(['train', 'config.json', '-o', 'streamed', ...folder, ...continuing]);
    expect(await readVocabulary(box.path('streamed'))).toEqual(
      await readVocabulary(box.path('evicted')),
    );
    const { code, stderr } = await box.run([
      ...['train', 'config.json', '-o', 'nowhere', '--set', 'continuing=true'],
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('continuing: expected a run folder in from');
    expect(box.exists('nowhere')).toBe(false);
  });

  it('starts fresh with --resume where there is no checkpoint', async () => {
    await box.done(['train', 'config.json', '-o', 'fresh', '--resume']);
    expect(box.outcome('fresh')).toEqual(box.outcome('run'));
  });

  it('goes on with --resume to more epochs than it was begun with', async () => {
    await box.done(['train', 'config.json', '-o', 'short', '--set', 'epochs=1']);
    await box.done(['train', 'config.json', '-o', 'short', '--resume']);
    expect(box.outcome('short')).toEqual(box.outcome('run'));
    expect(box.json('short', 'config.json')).toEqual(box.json('run', 'config.json'));
  });
});

it('reads a config that begins with a byte order mark', async () => {
  box.write('marked.json', `\uFEFF${JSON.stringify(box.json('config.json'))}`);
  await box.done(['prepare', 'marked.json', '-o', 'marked']);
});

describe('evaluate', () => {
  it.each(['train', 'validation', 'test'] as const)(
    'scores the part %s as train did',
    async (part) => {
      const metrics = metricsFile.parse(box.json('run', 'metrics.json'));
      const text = await box.done(['evaluate', 'run', '--split', part, '--json']);
      expect(JSON.parse(text)).toEqual(metrics[part]);
    },
  );

  it('scores the test part by default, as a table for people', async () => {
    const { test } = metricsFile.parse(box.json('run', 'metrics.json'));
    const text = await box.done(['evaluate', 'run']);
    expect(text).toMatch(
      new RegExp(`^DE +${test.rows.DE} +${test.auc.byDomain.DE?.toFixed(4)}`, 'm'),
    );
  });

  it('scores another dataset, with the ids of the run', async () => {
    await box.done(['prepare', 'config.json', '-o', 'other', ...set({ 'data.seed': 5 })]);
    const { test } = metricsFile.parse(box.json('run', 'metrics.json'));
    await box.done(['prepare', 'config.json', '-o', 'same']);
    const same = await box.done(['evaluate', 'run', '--data', 'same', '--json']);
    const windows = ['--data', 'same', '--data-budget', '0'];
    expect(await box.done(['evaluate', 'run', ...windows, '--json'])).toBe(same);
    expect(JSON.parse(same)).toEqual(test);
    const other = split.parse(
      JSON.parse(await box.done(['evaluate', 'run', '--data', 'other', '--json'])),
    );
    expect(other.rows).toEqual(test.rows);
    expect(other.auc.mean).not.toBe(test.auc.mean);
  });
});

describe('predict', () => {
  interface Rated {
    readonly country: string;
    readonly user: string;
    readonly item: string;
    readonly score: number;
  }
  const input = csvOf(90)
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [user = '', item = '', country = ''] = line.split(',');
      return { user, item, country };
    })
    .concat({ user: 'nobody, "yet"', item: 'i1', country: 'UK' });
  const cell = (value: string): string =>
    /[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  const csv = [
    'extra,item,user,country',
    ...input.map(({ item, user, country }, row) => `${row},${item},${cell(user)},${country}`),
  ].join('\n');
  const jsonl = input.map((row) => `${JSON.stringify(row)}\n`).join('');

  async function expected(): Promise<Rated[]> {
    const scores = await (await load(box.path('run'))).predict(input);
    return input.map((row, i) => ({ ...row, score: Number(scores[i]) }));
  }

  function rated(text: string): Rated[] {
    const [head, ...lines] = text.trimEnd().split('\n');
    expect(head).toBe('country,user,item,score');
    return lines.map((line) => {
      const cells = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g) ?? [];
      const [country = '', user = '', item = '', score = ''] = cells.map((text) =>
        text
          .replace(/,$/, '')
          .replace(/^"(.*)"$/, '$1')
          .replaceAll('""', '"'),
      );
      return { country, user, item, score: Number(score) };
    });
  }

  beforeAll(async () => {
    box.write('in.csv', csv);
    box.write('in.jsonl', jsonl);
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(
      `copy (select * from read_json('${box.path('in.jsonl')}')) to '${box.path('in.parquet')}'`,
    );
    connection.closeSync();
    instance.closeSync();
  });

  it.each(['csv', 'jsonl', 'parquet'])(
    'scores a file in %s as load(run) does',
    async (extension) => {
      const output = `from-${extension}.csv`;
      const args = ['predict', 'run', '--input', `in.${extension}`, '--output', output];
      expect(await box.done(args)).toBe(`${input.length} scores in ${output}\n`);
      expect(rated(box.text(output))).toEqual(await expected());
    },
  );

  it.each([
    ['CSV', csv],
    ['JSON Lines', jsonl],
  ])('scores %s from stdin to stdout', async (_, text) => {
    const args = ['predict', 'run', '--input', '-', '--output', '-'];
    expect(rated(await box.done(args, { input: text }))).toEqual(await expected());
  });

  it('waits for a stdin that comes slowly', async () => {
    const { child, finished } = box.start(['predict', 'run', '--input', '-', '--output', '-'], {
      openInput: true,
    });
    const half = csv.length / 2;
    child.stdin?.write(csv.slice(0, half));
    setTimeout(() => child.stdin?.end(csv.slice(half)), 700);
    const { code, stdout } = await finished;
    expect(code).toBe(0);
    expect(rated(stdout)).toEqual(await expected());
  });

  it('reports with --json', async () => {
    const args = ['predict', 'run', '--input', 'in.csv', '--output', 'reported.csv', '--json'];
    expect(await box.done(args)).toBe(`{"output":"reported.csv","rows":${input.length}}\n`);
  });

  it('takes numbers as ids of their digits, whatever the format', async () => {
    const numbers = csvOf(600).replaceAll(/[ui](\d+),/g, '$1,');
    box.write('numbers.csv', numbers);
    await box.done([
      'train',
      'config.json',
      '-o',
      'numbers',
      ...set({ 'data.source': 'numbers.csv' }),
    ]);
    // The same rows and the same order of ids: the same model.
    expect(box.outcome('numbers')['model.safetensors']).toBe(
      box.outcome('run')['model.safetensors'],
    );
    const args = ['predict', 'numbers', '--input', '-', '--output', '-'];
    const fromCsv = await box.done(args, { input: 'user,item,country\n7,12,FR\n' });
    expect(await box.done(args, { input: '{"user":7,"item":"12","country":"FR"}\n' })).toBe(
      fromCsv,
    );
    const [, line] = fromCsv.split('\n');
    const scored = await (await load(box.path('run'))).predict([
      { user: 'u7', item: 'i12', country: 'FR' },
    ]);
    expect(line).toBe(`FR,7,12,${scored[0]}`);
  });

  it('refuses a domain that training has not seen, or scores it by what is shared', async () => {
    const rows = 'user,item,country\nu1,i1,US\nu1,i1,DE\n';
    box.write('us.csv', rows);
    const args = ['predict', 'run', '--input', 'us.csv', '--output', 'us-scores.csv'];
    const refused = await box.run(args);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/domain 'US'.*DE, FR, UK/);
    expect(box.exists('us-scores.csv')).toBe(false);
    await box.done([...args, '--unknown-domain', 'shared']);
    const predictor = await load(box.path('run'));
    const row = { user: 'u1', item: 'i1' };
    const scores = await predictor.predict(
      [
        { ...row, country: 'US' },
        { ...row, country: 'DE' },
      ],
      { unknownDomain: 'shared' },
    );
    expect(scores[0]).not.toBe(scores[1]);
    expect(box.text('us-scores.csv')).toBe(
      `country,user,item,score\nUS,u1,i1,${scores[0]}\nDE,u1,i1,${scores[1]}\n`,
    );
  });

  it('ends in peace when nobody reads its output on', async () => {
    const lines = csv.split('\n');
    const many = Array.from({ length: 300 }, () => lines.slice(1).join('\n'));
    box.write('many.csv', [lines[0], ...many].join('\n'));
    const args = ['predict', 'run', '--input', 'many.csv', '--output', '-'];
    const { child, finished } = box.start(args);
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect((await finished).stderr).not.toMatch(/^ +at /m);
  });
});

describe('prepare', () => {
  const report = z.strictObject({
    output: z.string(),
    features: z.record(z.string(), z.int()),
    domains: z.record(
      z.string(),
      z.strictObject({
        train: z.int(),
        validation: z.int(),
        test: z.int(),
        positives: z.number(),
      }),
    ),
  });

  it('makes a dataset folder and says what is in it', async () => {
    const text = await box.done(['prepare', 'config.json', '-o', 'prepared', '--json']);
    const { output, features, domains } = report.parse(JSON.parse(text));
    expect(output).toBe('prepared');
    expect(features).toEqual({ user: 41, item: 31 });
    const rows = csvOf(600).trimEnd().split('\n').slice(1);
    for (const domain of ['DE', 'FR', 'UK']) {
      const own = rows.filter((row) => row.includes(`,${domain},`));
      const { train, validation, test, positives } = domains[domain] ?? fail(domain);
      expect(train + validation + test).toBe(own.length);
      const bought = own.filter((row) => row.endsWith(',1')).length;
      expect(positives).toBeCloseTo(bought / own.length, 12);
    }
    const opened = await Dataset.open(box.path('prepared'));
    const raw = await Dataset.open({ ...sourceConfig(), source: box.path('rows.csv') });
    expect(opened).toEqual(raw);
  });

  it('leads to the same run as the raw rows', async () => {
    await box.done(['prepare', 'config.json', '-o', 'dataset']);
    const args = ['--set', 'data={"source":"dataset"}'];
    await box.done(['train', 'config.json', '-o', 'from-folder', ...args]);
    expect(box.outcome('from-folder')).toEqual(box.outcome('run'));
    expect(JSON.parse(await box.done(['evaluate', 'from-folder', '--json']))).toEqual(
      metricsFile.parse(box.json('run', 'metrics.json')).test,
    );
  });

  it('prints a table without --json', async () => {
    const text = await box.done(['prepare', 'config.json', '-o', 'shown']);
    expect(text).toMatch(/^domain +train +validation +test +positives\nDE .*%\n/);
    expect(text).toContain('user: 41 ids\n');
  });
});

describe('doctor', () => {
  const report = z.strictObject({
    version: z.string(),
    node: z.string(),
    platform: z.string(),
    addon: z.literal('loaded'),
    simd: z.string(),
    simdSupported: z.array(z.string()),
    threads: z.int().gte(1),
    gpu: z.string().regex(/^(no )?NVIDIA driver/),
    ops: z.int().gte(1),
  });
  const broken = z.strictObject({
    version: z.string(),
    node: z.literal(process.version),
    platform: z.literal(`${process.platform}-${process.arch}`),
    addon: z.string(),
  });

  it('tells what this installation runs on', async () => {
    const { version, simd, simdSupported } = report.parse(
      JSON.parse(await box.done(['doctor', '--json'])),
    );
    expect(simdSupported).toContain(simd);
    expect(await box.done(['--version'])).toBe(`${version}\n`);
    expect(await box.done(['doctor'])).toContain(`simd          ${simd}\n`);
  });

  it('tells what it was made to run on', async () => {
    const text = await box.done(['doctor', '--json'], {
      env: { POLYDOMAIN_SIMD: 'scalar', POLYDOMAIN_THREADS: '1' },
    });
    expect(report.parse(JSON.parse(text))).toMatchObject({ simd: 'scalar', threads: 1 });
  });

  it('says why the addon does not load', async () => {
    const env = { POLYDOMAIN_ADDON: '/nonexistent' };
    const { code, stdout } = await box.run(['doctor', '--json'], { env });
    expect(code).toBe(1);
    expect(stdout.trimEnd()).not.toContain('\n');
    const { addon } = broken.parse(JSON.parse(stdout));
    expect(addon).toMatch(/^not loaded: .*POLYDOMAIN_ADDON=\/nonexistent/);
    const shown = await box.run(['doctor'], { env });
    expect(shown.code).toBe(1);
    expect(shown.stdout).toMatch(/^addon +not loaded: /m);
  });

  it("says what the system's loader found wrong", async () => {
    box.write(
      'garbage.node',
      'no library at all, but long enough to be looked at by a loader'.repeat(9),
    );
    const env = { POLYDOMAIN_ADDON: box.path('garbage.node') };
    const { code, stdout } = await box.run(['doctor', '--json'], { env });
    expect(code).toBe(1);
    // The loader's own words: glibc's, musl's or macOS's.
    expect(broken.parse(JSON.parse(stdout)).addon).toMatch(/ELF header|Exec format|mach-o/i);
  });
});

function sourceConfig() {
  const { source: _, split, ...rest } = baseConfig.data;
  const [train = 0, validation = 0, test = 0] = split.random;
  return { ...rest, split: { random: [train, validation, test] as [number, number, number] } };
}

function fail(what: string): never {
  throw new Error(`${what} is missing`);
}
