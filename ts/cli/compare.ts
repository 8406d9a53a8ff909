import { join } from 'node:path';
import { type CompareEvent, compare } from '../compare/compare.js';
import { parseCompareConfig } from '../compare/config.js';
import type { Comparison, EntryResult } from '../compare/result.js';
import type { Spread } from '../metrics/ranks.js';
import { readUnchecked } from './config.js';
import { bytes, showProgress } from './progress.js';
import { shown, table } from './table.js';

export interface CompareOptions {
  readonly output: string;
  readonly models?: readonly string[];
  readonly strategies?: readonly string[];
  readonly seeds?: number;
  readonly resume?: boolean;
  readonly set?: readonly string[];
  readonly signal: AbortSignal;
}

/** The document of `compare --json`: where compare.json lies, and what it holds. */
export interface CompareReport extends Comparison {
  readonly output: string;
}

/** Shows which run is at work, and what it does. */
function showRuns(): { onEvent(event: CompareEvent): void; stop(): void } {
  let progress = showProgress('');
  return {
    onEvent(event) {
      if (event.kind === 'fit') return progress.onEvent(event.event);
      progress.stop();
      if (event.kind === 'failed') {
        const { entry, seed } = event.job;
        process.stderr.write(`failed: ${entry}, seed ${seed}: ${event.error}\n`);
        return;
      }
      const { run, total, job, finished } = event;
      const values = Object.entries(job.values).map(
        ([key, value]) => `, ${key} ${JSON.stringify(value)}`,
      );
      const name = `[${run}/${total}] ${job.entry}, seed ${job.seed}${values.join('')}`;
      if (finished) process.stderr.write(`${name}: done before\n`);
      else progress = showProgress(name);
    },
    stop: () => progress.stop(),
  };
}

/** Runs the comparison that a config file describes. */
export async function compareConfigFile(
  path: string,
  { set, output, models, strategies, seeds, resume, signal }: CompareOptions,
): Promise<CompareReport> {
  const { config } = await readUnchecked(path, set ? { set } : {});
  const progress = showRuns();
  try {
    const comparison = await compare(parseCompareConfig(config), {
      ...{ output, models, strategies, seeds, resume, signal },
      onEvent: progress.onEvent,
    });
    return { output, ...comparison };
  } finally {
    progress.stop();
  }
}

function spread(value: Spread | null): string {
  if (!value) return '-';
  return value.deviation === null
    ? shown(value.mean)
    : `${shown(value.mean)} ±${value.deviation.toFixed(4)}`;
}

function difference({ significance }: EntryResult): string {
  if (!significance) return '-';
  const signed = (value: number): string => `${value < 0 ? '' : '+'}${value.toFixed(4)}`;
  const { difference: own, low, high, p } = significance;
  return `${signed(own)} [${signed(low)}, ${signed(high)}] p ${p.toFixed(3)}`;
}

/** The report as a table for people. */
export function compareTable({ output, entries, baseline, notes, seeds }: CompareReport): string {
  const lines = entries.map((entry) => [
    entry.label === baseline ? `${entry.label} *` : entry.label,
    spread(entry.auc.mean),
    spread(entry.auc.samples),
    entry.rank?.toFixed(2) ?? '-',
    difference(entry),
    entry.seconds?.mean.toFixed(1) ?? '-',
    entry.peakBytes === null ? '-' : bytes(entry.peakBytes),
  ]);
  const failures = entries.flatMap(({ label, failures }) =>
    failures.map(({ seed, error }) => `failed: ${label}, seed ${seed}: ${error}\n`),
  );
  const head = ['test AUC', 'AUC_d', 'AUC_s', 'RANK', 'AUC_d - baseline', 'seconds', 'memory'];
  return `${table([head, ...lines])}* baseline; ${seeds.length} seeds
${[...failures, ...notes.map((note) => `note: ${note}\n`)].join('')}Report: ${join(output, 'report.html')}\nComparison: ${join(output, 'compare.json')}\n`;
}
