import { createHash } from 'node:crypto';
import type { RunConfig } from '../cli/config.js';
import type { EpochRecord } from '../train/events.js';
import type { RunMetrics } from '../train/result.js';
import type { Values } from './entries.js';

/** One run of a comparison: what its child process is told. */
export interface Job {
  readonly entry: string;
  readonly seed: number;
  /** Tuned values; empty without a grid. */
  readonly values: Values;
  readonly config: RunConfig;
  /** Of settings, data and library version: the same ones need not be run again. */
  readonly fingerprint: string;
  /** Names the run's files. */
  readonly name: string;
}

/** What out/runs/<name>.json holds. */
export interface RunRecord {
  readonly format: typeof runFormat;
  readonly version: 1;
  readonly entry: string;
  readonly seed: number;
  readonly values: Values;
  readonly fingerprint: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly library: string;
  readonly simd: string;
  readonly threads: number;
  readonly metrics: RunMetrics;
  /** Every epoch of every stage. */
  readonly history: readonly EpochRecord[];
  /** Epoch of the strategy whose state was kept, 0-based. */
  readonly bestEpoch: number;
  /** Of training, with its evaluations; of all sessions of a run that was interrupted. */
  readonly seconds: number;
  /** Largest resident memory of the run's process, in bytes. */
  readonly peakBytes: number;
  /** Of the first seed's runs; null of the others, and where shared values are not what is trained. */
  readonly conflicts: Conflicts | null;
}

/** How the training gradients of the largest domains agree at the trained shared values. */
export interface Conflicts {
  readonly domains: readonly string[];
  /** Of each pair; null where a gradient is zero. */
  readonly cosines: readonly (readonly (number | null)[])[];
}

export const runFormat = 'polydomain-compare-run';

/** What a run's results depend on; not threads, checkpoints or budgets. */
export function settingsOf(config: RunConfig): Readonly<Record<string, unknown>> {
  const { $schema, data, threads, checkpointEvery, overlayBudget, ...settings } = config;
  return settings;
}

function slugOf(label: string): string {
  const slug = label.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return slug.replace(/^-+|-+$/g, '').slice(0, 60) || 'entry';
}

/** A run of an entry with one seed; `data` and `library` tell dataset and version. */
export function jobOf(
  entry: string,
  { values, config }: { readonly values: Values; readonly config: RunConfig },
  seed: number,
  { data, library }: { readonly data: string; readonly library: string },
): Job {
  const own = { ...config, seed };
  const told = JSON.stringify({ library, data, settings: settingsOf(own) });
  const fingerprint = createHash('sha256').update(told).digest('hex').slice(0, 16);
  const name = `${slugOf(entry)}-seed${seed}-${fingerprint}`;
  return { entry, seed, values, config: own, fingerprint, name };
}
