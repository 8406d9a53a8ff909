import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type RunConfig, runConfig } from '../cli/config.js';
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
  readonly origin: Origin;
  /** Names the run's files: of its settings and origin. */
  readonly name: string;
}

/** What runs depend on beside their settings. */
export interface Origin {
  /** Digest of the rows. */
  readonly data: string;
  /** Version of the library. */
  readonly library: string;
}

/** What out/runs/<name>.json holds. */
export interface RunRecord {
  readonly format: typeof runFormat;
  readonly version: 1;
  readonly entry: string;
  readonly seed: number;
  readonly values: Values;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Digest of the dataset's rows. */
  readonly data: string;
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
  /** Training rows that each gradient comes from: a sample of those of large domains. Older records have none. */
  readonly rows?: readonly number[];
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

/** The part of its files' names that an entry's runs with one seed share. */
export function prefixOf(entry: string, seed: number): string {
  return `${slugOf(entry)}-seed${seed}-`;
}

/** A run of an entry with one seed. */
export function jobOf(
  entry: string,
  { values, config }: { readonly values: Values; readonly config: RunConfig },
  seed: number,
  origin: Origin,
): Job {
  const own = { ...config, seed };
  const told = JSON.stringify({ ...origin, settings: settingsOf(own) });
  const digest = createHash('sha256').update(told).digest('hex').slice(0, 16);
  return { entry, seed, values, config: own, origin, name: `${prefixOf(entry, seed)}${digest}` };
}

/**
 * Whether a record is of the job. Its settings are completed as a config of today is: an option that is new since
 * then had today's default.
 */
export function isOf(record: RunRecord, { config, origin }: Job): boolean {
  if (record.format !== runFormat || record.library !== origin.library) return false;
  if (record.data !== origin.data) return false;
  const completed = runConfig.safeParse({ ...record.settings, data: config.data });
  if (!completed.success) return false;
  const plain = (own: RunConfig): unknown => JSON.parse(JSON.stringify(settingsOf(own)));
  return isDeepStrictEqual(plain(completed.data), plain(config));
}
