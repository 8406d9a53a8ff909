import { readFileSync, rmSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../ts/data/random.js';
import { Dataset, load } from '../../ts/index.js';
import { userItemSchema } from '../user-item-schema.js';
import { baseConfig, pause, Sandbox, set } from './sandbox.js';

const box = new Sandbox();
beforeAll(async () => {
  await box.done(['prepare', 'config.json', '-o', 'dataset']);
  box.write(
    'config.json',
    JSON.stringify({
      ...baseConfig,
      data: { source: 'dataset' },
      model: { name: 'mlp', embeddingDim: 32, hidden: [32, 16], dropout: 0.2 },
      optimizer: { name: 'adam', learningRate: 0.01 },
      epochs: 100,
      patience: 100,
    }),
  );
});
afterAll(() => box.remove());

const args = (run: string, changes: Readonly<Record<string, unknown>> = {}): string[] => [
  ...['train', 'config.json', '-o', run],
  ...set(changes),
];

/** Where a run's last checkpoint stands. */
interface Progress {
  readonly native: string;
  readonly epoch: number;
  readonly commandsDone: number;
}

/** The last checkpoint, which is whole at any moment; undefined before the first one. */
function progressOf(run: string): Progress | undefined {
  if (!box.exists(run, 'checkpoints', 'progress.json')) return undefined;
  const progress = box.json<Progress>(run, 'checkpoints', 'progress.json');
  expect(progress.native).toMatch(/^state-[01]\.bin$/);
  expect(box.exists(run, 'checkpoints', progress.native)).toBe(true);
  return progress;
}

/** The files that a checkpoint consists of, by digest. */
function checkpointOf(run: string): Record<string, string | undefined> {
  const { native } = progressOf(run) ?? { native: 'none' };
  const files = box.snapshot(run, 'checkpoints');
  return { progress: files['progress.json'], [native]: files[native] };
}

const temporaries = (run: string): string[] =>
  Object.keys(box.snapshot(run)).filter((name) => name.endsWith('.writing'));

const millisecondsSince = (start: number): number => performance.now() - start;

describe('a signal', () => {
  beforeAll(async () => {
    await box.done(args('whole'));
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s saves a checkpoint, from which --resume leads to the very same run',
    async (signal) => {
      const run = `stopped-by-${signal}`;
      const { child, finished, says } = box.start([...args(run), '--json']);
      expect(await says('mamdr epoch 7/100')).toBe(true);
      child.kill(signal);
      const { code, stdout, stderr } = await finished;
      expect(code).toBe(130);
      expect(stdout).toBe('');
      expect(stderr).toContain(`interrupted by ${signal}`);
      expect(stderr).not.toMatch(/^ +at /m);
      expect(progressOf(run)?.epoch).toBeGreaterThanOrEqual(7);
      expect(progressOf(run)?.epoch).toBeLessThan(100);
      expect(temporaries(run)).toEqual([]);
      expect((await box.run(['evaluate', run])).code).toBe(3);
      await box.done([...args(run), '--resume']);
      expect(box.outcome(run)).toEqual(box.outcome('whole'));
    },
  );

  it('during a resumed run saves again', async () => {
    const run = 'stopped-often';
    let before = -1;
    for (const epoch of [3, 20, 45]) {
      const { child, finished, says } = box.start([...args(run), '--resume']);
      expect(await says(`mamdr epoch ${epoch}/100`)).toBe(true);
      child.kill('SIGINT');
      expect((await finished).code).toBe(130);
      const { epoch: after = 0 } = progressOf(run) ?? {};
      expect(after).toBeGreaterThan(before);
      before = after;
    }
    await box.done([...args(run), '--resume']);
    expect(box.outcome(run)).toEqual(box.outcome('whole'));
  });

  it('that comes a second time stops at once, also inside a long pass', async () => {
    await largeDataset(150_000).save(box.path('large'));
    const run = 'stopped-twice';
    const { child, finished } = box.start(
      args(run, {
        'data.source': 'large',
        'model.embeddingDim': 64,
        'model.hidden': [512, 256],
        batchSize: 16,
        checkpointEvery: 0,
      }),
    );
    // Passes with specific values end before the first signal takes effect: wait for a long one.
    const stands = (): number => progressOf(run)?.commandsDone ?? 0;
    const negotiated = 6;
    let last = 0;
    for (let since = performance.now(); last < negotiated || millisecondsSince(since) < 300; ) {
      await pause(10);
      if (child.exitCode !== null) break;
      if (stands() === last) continue;
      last = stands();
      since = performance.now();
    }
    child.kill('SIGINT');
    await pause(100);
    expect(child.exitCode).toBe(null);
    const signalled = performance.now();
    child.kill('SIGINT');
    expect((await finished).code).toBe(130);
    expect(millisecondsSince(signalled)).toBeLessThan(700);
    expect(stands()).toBe(last);
  }, 60_000);

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s ends a command that waits for stdin',
    async (signal) => {
      const { child, finished } = box.start(
        ['predict', 'whole', '--input', '-', '--output', 'scores.csv'],
        { openInput: true },
      );
      // Start-up takes its time on a busy machine.
      await pause(3000);
      const signalled = performance.now();
      child.kill(signal);
      // Lets it go in any case.
      const release = setTimeout(() => child.stdin?.end(), 3000);
      const { code } = await finished;
      clearTimeout(release);
      expect(millisecondsSince(signalled)).toBeLessThan(2000);
      expect(code).toBe(130);
      expect(box.exists('scores.csv')).toBe(false);
    },
  );
});

describe('kill -9', () => {
  const random = new Random(20);
  const cases: Record<string, Readonly<Record<string, unknown>>> = {
    dn: { strategy: { name: 'dn' } },
    mamdr: {},
    'alternate and finetune': {
      strategy: { name: 'alternate' },
      finetune: { epochs: 400, patience: 200, learningRate: 0.05 },
      epochs: 150,
    },
  };

  it.each(Object.entries(cases))(
    'at any moment of %s is survived',
    async (name, changes) => {
      const whole = `whole ${name}`;
      const run = `killed ${name}`;
      await box.done(args(whole, changes));
      // Without a pause between checkpoints: any moment is likely to be one of writing.
      const often = { ...changes, checkpointEvery: 0 };
      let kills = 0;
      for (let finished = false; !finished; ) {
        const started = box.start([...args(run, often), '--resume']);
        await started.says('expected at most');
        // Longer and longer, so that the run gets to its end.
        const delay = setTimeout(
          () => started.child.kill('SIGKILL'),
          random.below(60 * (kills + 1)),
        );
        const { code, signal, stderr } = await started.finished;
        clearTimeout(delay);
        finished = code === 0;
        if (finished) break;
        expect(signal, stderr).toBe('SIGKILL');
        progressOf(run);
        expect(++kills).toBeLessThan(40);
      }
      expect(kills).toBeGreaterThan(0);
      expect(box.outcome(run)).toEqual(box.outcome(whole));
      await load(box.path(run));
      const { test } = box.json<{ test: unknown }>(run, 'metrics.json');
      expect(JSON.parse(await box.done(['evaluate', run, '--json']))).toEqual(test);
      for (const line of box.text(run, 'events.jsonl').trimEnd().split('\n')) JSON.parse(line);
    },
    60_000,
  );

  it('while the model is written leaves no folder that looks complete', async () => {
    await box.done(args('whole-5', { epochs: 5 }));
    for (const file of [
      'model.safetensors',
      'specific/hidden.0.weight.safetensors',
      'vocabulary.jsonl',
    ]) {
      const run = `killed-at-${file.replace('/', '-')}`;
      const { child, finished, says } = box.start(args(run, { epochs: 5 }));
      await says('mamdr epoch 3/5');
      await until(() => box.exists(run, file) || child.exitCode !== null);
      child.kill('SIGKILL');
      await finished;
      if (!box.exists(run, 'model.json')) {
        expect((await box.run(['evaluate', run])).code).toBe(3);
      }
      await box.done([...args(run, { epochs: 5 }), '--resume']);
      expect(box.outcome(run)).toEqual(box.outcome('whole-5'));
    }
  });

  it('while a model is written over an earlier one leaves one of both, or none', async () => {
    const run = 'killed-over';
    await box.done(args(run, { epochs: 2 }));
    await box.done(args('whole-40', { epochs: 40 }));
    const [shorter, longer] = [box.outcome(run), box.outcome('whole-40')];
    expect(shorter['model.safetensors']).not.toBe(longer['model.safetensors']);
    const path = box.path(run, 'model.safetensors');
    const { ino } = statSync(path);
    const { child, finished } = box.start([...args(run, { epochs: 40 }), '--resume']);
    await until(() => statSync(path).ino !== ino || child.exitCode !== null);
    child.kill('SIGKILL');
    await finished;
    const { code, stdout } = await box.run(['evaluate', run, '--json']);
    if (code !== 3) {
      const { test } = box.json<{ test: unknown }>(run, 'metrics.json');
      expect(JSON.parse(stdout)).toEqual(test);
    }
    await box.done([...args(run, { epochs: 40 }), '--resume']);
    expect(box.outcome(run)).toEqual(longer);
  });
});

describe('a full disk', () => {
  const epochs = { epochs: 4 };
  beforeAll(async () => {
    await box.done(args('whole-4', epochs));
  });

  it('at a checkpoint: the earlier one stays, and --resume goes on from it', async () => {
    const run = 'full-checkpoint';
    await box.done(args(run, { epochs: 2 }));
    const before = checkpointOf(run);
    const { native } = progressOf(run) ?? { native: 'none' };
    const largestFile = Math.floor(statSync(box.path(run, 'checkpoints', native)).size / 1024);
    const again = [...args(run, { ...epochs, checkpointEvery: 0 }), '--resume'];
    const { code, stdout, stderr } = await box.run(again, { largestFile });
    expect(stderr).toMatch(/^CheckpointError: .*checkpoints\/state-[01]\.bin/m);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).toBe(3);
    expect(stdout).toBe('');
    expect(checkpointOf(run)).toEqual(before);
    expect(temporaries(run)).toEqual([]);
    await box.done(again);
    expect(box.outcome(run)).toEqual(box.outcome('whole-4'));
  });

  it('at the first checkpoint: --resume begins anew', async () => {
    const run = 'full-first';
    const { code, stderr } = await box.run(args(run, epochs), { largestFile: 100 });
    expect(stderr).toMatch(/^CheckpointError: .*checkpoints\/state-[01]\.bin/m);
    expect(code).toBe(3);
    expect(progressOf(run)).toBe(undefined);
    expect(temporaries(run)).toEqual([]);
    await box.done([...args(run, epochs), '--resume']);
    expect(box.outcome(run)).toEqual(box.outcome('whole-4'));
  });

  it('at the model: the checkpoint stays, and --resume writes the model', async () => {
    const run = 'full-model';
    await box.done(args(run, epochs));
    for (const name of Object.keys(box.outcome(run)))
      rmSync(box.path(run, name), { recursive: true });
    const before = checkpointOf(run);
    const again = [...args(run, epochs), '--resume'];
    const { code, stderr } = await box.run(again, { largestFile: 30 });
    expect(stderr).toMatch(/^CheckpointError: '.*model\.safetensors' could not be written/m);
    expect(code).toBe(3);
    expect(checkpointOf(run)).toEqual(before);
    expect(temporaries(run)).toEqual([]);
    expect((await box.run(['evaluate', run])).code).toBe(3);
    await box.done(again);
    expect(box.outcome(run)).toEqual(box.outcome('whole-4'));
  });

  it('at the events: the file is named, and a torn line does no harm', async () => {
    const run = 'full-events';
    await box.done(args(run, { epochs: 2 }));
    const before = checkpointOf(run);
    // Ends a few bytes below the limit, so that a line breaks off in its middle.
    const events = box.text(run, 'events.jsonl');
    const filler = `{"kind":"filler","text":"${'-'.repeat(20_480 - events.length - 100)}"}\n`;
    box.write(`${run}/events.jsonl`, `${events}${filler}`);
    const again = [...args(run, epochs), '--resume'];
    const { code, stderr } = await box.run(again, { largestFile: 40 });
    expect.soft(stderr).toMatch(/^\w*Error: .*events\.jsonl/m);
    expect.soft(stderr).not.toMatch(/^ +at /m);
    expect.soft(code).toBe(3);
    expect(checkpointOf(run)).toEqual(before);
    await box.done(again);
    expect(box.outcome(run)).toEqual(box.outcome('whole-4'));
    const lines = readFileSync(box.path(run, 'events.jsonl'), 'utf8').trimEnd().split('\n');
    for (const line of lines) expect(() => JSON.parse(line), line.slice(0, 300)).not.toThrow();
  });

  it('at the scores of predict: no file, and the earlier one stays', async () => {
    box.write('scores.csv', 'earlier\n');
    const predict = ['predict', 'whole-4', '--input', 'rows.csv', '--output', 'scores.csv'];
    const { code, stderr } = await box.run(predict, { largestFile: 10 });
    expect(stderr).toMatch(/^CheckpointError: 'scores\.csv' could not be written/m);
    expect(code).toBe(3);
    expect(box.text('scores.csv')).toBe('earlier\n');
    expect(Object.keys(box.snapshot()).filter((name) => /^scores.*writing$/.test(name))).toEqual(
      [],
    );
  });

  it('at a dataset folder: nothing that could be taken for one', async () => {
    const source = {
      source: 'rows.csv',
      label: 'bought',
      domain: 'country',
      features: ['user', 'item'],
      split: { random: [0.6, 0.2, 0.2] },
    };
    const prepare = ['prepare', 'config.json', '-o', 'full-dataset', ...set({ data: source })];
    const { code, stderr } = await box.run(prepare, { largestFile: 4 });
    expect(stderr).toMatch(/CheckpointError: 'full-dataset.*' could not be written/);
    expect(code).toBe(3);
    const { code: opened } = await box.run(args('never', { 'data.source': 'full-dataset' }));
    expect(opened).toBe(3);
  });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** One large domain and two small ones, over ids. */
function largeDataset(rows: number): Dataset {
  const counts = [rows, 1000, 1000];
  const [users, items] = [1000, 500];
  const part = (share: number) => {
    const own = counts.map((count) => count * share);
    const total = own.reduce((sum, count) => sum + count, 0);
    const at = [
      0,
      ...own.map((_, d) => own.slice(0, d + 1).reduce((sum, count) => sum + count, 0)),
    ];
    return {
      rows: total,
      ids: [users, items].map((size, f) =>
        Int32Array.from({ length: total }, (_, row) => 1 + ((row * (7 + f)) % (size - 1))),
      ),
      labels: Float32Array.from({ length: total }, (_, row) => ((row * 13) % 3 === 0 ? 1 : 0)),
      domainOffsets: Int32Array.from(at),
    };
  };
  const names = (size: number) => Array.from({ length: size - 1 }, (_, i) => `v${i}`);
  return Dataset.of(
    userItemSchema(users, items, ['large', 'small', 'smaller']),
    [names(users), names(items)],
    [part(1), part(0.01), part(0.01)],
  );
}
