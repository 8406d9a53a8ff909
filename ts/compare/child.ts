// The process of one run of a comparison: gets a job over IPC, writes its files, and ends.
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { budgetOf } from '../cli/config.js';
import { Dataset } from '../data/dataset.js';
import { makeFolder, writeFileAtomic } from '../io/atomic.js';
import { modelOf } from '../models/registry.js';
import { addon } from '../native/load.js';
import type { Model } from '../nn/model.js';
import { strategyOf } from '../strategies/registry.js';
import { stagesOf } from '../strategies/types.js';
import { gradientCosines, rowsCompared } from '../train/conflicts.js';
import { scoresOf } from '../train/evaluate.js';
import type { FitEvent } from '../train/events.js';
import { fit } from '../train/fit.js';
import type { FitOptions } from '../train/fit-options.js';
import { CompareFolder } from './folder.js';
import { type Conflicts, type Job, runFormat, settingsOf } from './job.js';

/** What the process is sent. */
export interface Order {
  readonly job: Job;
  readonly folder: string;
  /** Whether to measure how the domains' gradients agree. */
  readonly conflicts: boolean;
}

/** What it sends. */
export type Message =
  | { readonly kind: 'event'; readonly event: FitEvent }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly name: string; readonly message: string };

/** What the sessions before this one took. */
interface Spent {
  readonly seconds: number;
  readonly peakBytes: number;
}

/** Largest resident memory of this process. ru_maxrss would hold that of the parent at the fork. */
async function peakBytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const kilobytes = /^VmHWM:\s*(\d+) kB/m.exec(status)?.[1];
  return 1024 * Number(kilobytes ?? process.resourceUsage().maxRSS);
}

async function readSpent(path: string): Promise<Spent> {
  if (!existsSync(path)) return { seconds: 0, peakBytes: 0 };
  return JSON.parse(await readFile(path, 'utf8')) as Spent;
}

/** As many domains are compared at most, the largest ones: a heat map can show no more. */
const mostDomains = 40;

async function conflictsOf(
  model: Model,
  data: Dataset,
  strategy: FitOptions['strategy'],
): Promise<Conflicts | null> {
  // Its shared values are those that training began with.
  if (stagesOf(strategy).some(({ overlays }) => overlays?.combine === 'replace')) return null;
  const { domainOffsets } = data.train;
  const rows = (d: number): number => Number(domainOffsets[d + 1]) - Number(domainOffsets[d]);
  const largest = [...data.schema.domains.keys()]
    .sort((a, b) => rows(b) - rows(a))
    .slice(0, mostDomains);
  const most = rowsCompared(model, data.schema, largest.length);
  const cosines = await gradientCosines(model, data, { domains: largest });
  return {
    domains: largest.map((d) => data.schema.domains[d] as string),
    rows: largest.map((d) => Math.min(rows(d), most)),
    // JSON knows no NaN.
    cosines: cosines.map((own) => own.map((value) => (Number.isFinite(value) ? value : null))),
  };
}

async function run({ job, folder, conflicts }: Order, signal: AbortSignal): Promise<void> {
  const files = new CompareFolder(folder);
  const runFolder = files.unfinished(job);
  const spentFile = join(runFolder, 'spent.json');
  const {
    model: modelConfig,
    strategy: strategyConfig,
    data: source,
    $schema: __,
    ...rest
  } = job.config;
  const data = await Dataset.open({ source: files.dataset, dataBudget: budgetOf(source) });
  const strategy = strategyOf(strategyConfig);
  const { schema, vocabulary } = data;
  const model = modelOf(modelConfig, { schema, vocabulary, seed: job.seed });
  const before = await readSpent(spentFile);
  const begun = performance.now();
  const spent = async (): Promise<Spent> => ({
    seconds: before.seconds + (performance.now() - begun) / 1000,
    peakBytes: Math.max(before.peakBytes, await peakBytes()),
  });
  try {
    const result = await fit(model, data, {
      ...rest,
      strategy,
      runFolder,
      resume: true,
      signal,
      onEvent: (event) => send({ kind: 'event', event }),
    });
    const { seconds, peakBytes } = await spent();
    await files.writeScores(job, await scoresOf(model, data, 'test'));
    await files.writeRun(job, {
      format: runFormat,
      version: 1,
      entry: job.entry,
      seed: job.seed,
      values: job.values,
      settings: settingsOf(job.config),
      ...job.origin,
      simd: addon().simdLevel(),
      threads: job.config.threads ?? addon().threads(),
      metrics: result.metrics,
      history: result.history,
      bestEpoch: result.bestEpoch,
      seconds,
      peakBytes,
      conflicts: conflicts ? await conflictsOf(model, data, strategy) : null,
    });
    await rm(runFolder, { recursive: true, force: true });
  } catch (error) {
    if (signal.aborted) {
      await makeFolder(runFolder);
      await writeFileAtomic(spentFile, `${JSON.stringify(await spent())}\n`);
    } else {
      // Going on from there would fail again.
      await rm(runFolder, { recursive: true, force: true });
    }
    throw error;
  }
}

function send(message: Message): void {
  process.send?.(message);
}

const interruption = new AbortController();
// The terminal's Ctrl-C reaches the whole group; the parent decides, and sends SIGTERM.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => interruption.abort());
// Without a parent nobody waits for the result.
process.on('disconnect', () => addon().exitNow(130));
process.once('message', async (order: Order) => {
  try {
    await run(order, interruption.signal);
    process.send?.({ kind: 'done' } satisfies Message, () => process.exit(0));
  } catch (error) {
    if (interruption.signal.aborted) process.exit(130);
    const { name, message } = error as Error;
    process.send?.({ kind: 'failed', name, message } satisfies Message, () => process.exit(1));
  }
});
