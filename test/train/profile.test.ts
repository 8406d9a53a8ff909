import { existsSync, mkdirSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, type FitOptions, fit, optim, strategies } from '../../ts/index.js';
import { temporaryFolder } from '../folder.js';
import { bitsOf, toyData, toyModel } from '../toy.js';

interface Event {
  readonly name: string;
  readonly ph: string;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly calls?: number; readonly name?: string };
}
interface Trace {
  readonly traceEvents: readonly Event[];
  readonly otherData: {
    readonly totals: readonly { name: string; seconds: number; calls: number }[];
  };
}

const inFolder = temporaryFolder();

const options: FitOptions = {
  strategy: strategies.mamdr({ helpers: 1 }),
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 2,
  seed: 5,
};

async function train(more: Partial<FitOptions>): Promise<string> {
  const data = toyData();
  const model = toyModel(data);
  const { metrics } = await fit(model, data, { ...options, ...more });
  return bitsOf(model) + JSON.stringify(metrics);
}

async function traceAt(path: string): Promise<Trace> {
  return JSON.parse(await readFile(path, 'utf8')) as Trace;
}

/** The events of a track, by its name. */
function track({ traceEvents }: Trace, name: string): Event[] {
  const named = traceEvents.find(
    (event) => event.name === 'thread_name' && event.args?.name === name,
  );
  return traceEvents.filter((event) => event.ph === 'X' && event.tid === named?.tid);
}

const end = ({ ts, dur }: Event): number => ts + dur;
// Times are whole nanoseconds, told in microseconds.
const rounding = 1e-3;

/** Each event that lies in no other one, with those that lie directly in it, in order. */
function nested(events: readonly Event[]): { outer: Event; inner: Event[] }[] {
  const result: { outer: Event; inner: Event[] }[] = [];
  for (const event of [...events].sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    const last = result.at(-1);
    if (!last || event.ts >= end(last.outer) - rounding) {
      result.push({ outer: event, inner: [] });
      continue;
    }
    expect(end(event)).toBeLessThanOrEqual(end(last.outer) + rounding);
    last.inner.push(event);
  }
  return result;
}

describe('a profile', () => {
  it('does not change the result, and shows commands with the ops inside them', async () => {
    const path = inFolder('new', 'trace.json');
    expect(await train({ profile: path })).toBe(await train({}));
    expect(await readdir(inFolder('new'))).toEqual(['trace.json']);
    const trace = await traceAt(path);
    const commands = nested(track(trace, 'commands'));
    const names = commands.map(({ outer }) => outer.name);
    // Of the DN part; a helper's pass of the DR part; lerps; the validation.
    expect(names).toContain('run d0');
    expect(names.some((name) => /^run d\d for d\d$/.test(name))).toBe(true);
    expect(names).toContain('lerp');
    expect(names).toContain('evaluate d2');
    const passes = commands.filter(({ outer }) => outer.name.startsWith('run '));
    // 300, 200 and 60 rows in batches of 32.
    const steps = [10, 7, 2];
    for (const { outer, inner } of passes) {
      const ops = inner.map(({ name }) => name);
      for (const op of ['gather batch', 'find rows', 'row gradients', 'optimizer: table rows']) {
        expect(ops).toContain(op);
      }
      expect(ops.some((op) => /^(grouped_)?linear.*hidden\.0\.weight/.test(op))).toBe(true);
      expect(ops.some((op) => /gradient of hidden\.0\.weight/.test(op))).toBe(true);
      const gathered = inner.find(({ name }) => name === 'gather batch');
      expect(gathered?.args?.calls).toBe(steps[Number(outer.name[5])]);
      // Laps leave no gap; what is left over is the command's own.
      const sum = inner.reduce((total, { dur }) => total + dur, 0);
      expect(sum).toBeLessThanOrEqual(outer.dur + rounding * inner.length);
      expect(sum).toBeGreaterThan(0.5 * outer.dur);
    }
    // What is kept by command and what is kept in total is the same.
    const spent = track(trace, 'commands')
      .filter(({ name }) => name === 'gather batch')
      .reduce((total, { dur }) => total + dur, 0);
    const total = trace.otherData.totals.find(({ name }) => name === 'gather batch');
    expect(1e6 * (total?.seconds ?? 0)).toBeCloseTo(spent, 3);
  });

  it('shows the phases, in the order and the nesting of the run', async () => {
    const path = inFolder('trace.json');
    await train({ profile: path, runFolder: inFolder('run') });
    const trace = await traceAt(path);
    const phases = nested(track(trace, 'phases'));
    expect(phases.map(({ outer }) => outer.name)).toEqual([
      'mamdr',
      'score train',
      'score validation',
      'score test',
      'save',
    ]);
    expect(phases[0]?.inner.map(({ name }) => name)).toEqual([
      ...['epoch 1', 'train', 'validate'],
      ...['epoch 2', 'train', 'validate', 'checkpoint'],
    ]);
    // Both clocks agree: all passes lie in the strategy's phase.
    const [stage] = phases as [(typeof phases)[0]];
    for (const { name, ts, dur } of track(trace, 'commands')) {
      if (!name.startsWith('run ')) continue;
      expect(ts).toBeGreaterThanOrEqual(stage.outer.ts - 1000);
      expect(ts + dur).toBeLessThanOrEqual(end(stage.outer) + 1000);
    }
  });

  it('shows the first steps of each kind op by op', async () => {
    const path = inFolder('trace.json');
    await train({ profile: path });
    const steps = nested(track(await traceAt(path), 'first steps, op by op'));
    const kinds = steps.map(({ outer }) => outer.name);
    expect(kinds).toEqual([
      ...['train step', 'train step', 'train step'],
      ...['evaluation step', 'evaluation step', 'evaluation step'],
    ]);
    for (const { outer, inner } of steps) {
      expect(inner[0]?.name).toBe('gather batch');
      let at = outer.ts;
      for (const event of inner) {
        expect(event.ts).toBeCloseTo(at, 2);
        at = end(event);
      }
    }
  });

  it('of PCGrad shows its gradient steps', async () => {
    const path = inFolder('trace.json');
    await train({ profile: path, strategy: strategies.pcgrad({ helpers: 1, maxSteps: 2 }) });
    const { totals } = (await traceAt(path)).otherData;
    const names = totals.map(({ name }) => name);
    for (const name of ['collect gradients', 'bufferProject', 'bufferApply']) {
      expect(names).toContain(name);
    }
  });

  it('is written when the run is aborted', async () => {
    const path = inFolder('trace.json');
    const controller = new AbortController();
    const reason = new Error('stopped by the test');
    await expect(
      train({
        profile: path,
        signal: controller.signal,
        onEvent: ({ kind }) => {
          if (kind === 'epoch') controller.abort(reason);
        },
      }),
    ).rejects.toBe(reason);
    const trace = await traceAt(path);
    expect(track(trace, 'phases').map(({ name }) => name)).toContain('epoch 1');
    expect(track(trace, 'commands').map(({ name }) => name)).toContain('run d0');
  });

  it('that cannot be written is refused at the start, or a warning behind the training', async () => {
    await expect(train({ profile: inFolder() })).rejects.toThrow(ConfigError);
    await writeFile(inFolder('file'), '');
    await expect(train({ profile: inFolder('file', 'trace.json') })).rejects.toThrow(ConfigError);
    const run = inFolder('run');
    const profile = inFolder('trace.json');
    const warnings: string[] = [];
    await train({
      profile,
      runFolder: run,
      onEvent: (event) => {
        if (event.kind === 'start') mkdirSync(profile);
        if (event.kind === 'warning') warnings.push(event.message);
      },
    });
    expect(warnings).toEqual([expect.stringMatching(/trace\.json' could not be written/)]);
    expect(existsSync(join(run, 'model.json'))).toBe(true);
  });
});
