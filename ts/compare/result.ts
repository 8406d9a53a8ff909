import type { DatasetOptions } from '../data/options.js';
import type { SplitName } from '../data/types.js';
import type { Significance } from '../metrics/bootstrap.js';
import { meanRanks, type Spread, spreadOf, weightedMean } from '../metrics/ranks.js';
import type { Entry, Values } from './entries.js';
import { type Job, type RunRecord, settingsOf } from './job.js';

/** A run that was tried, with the first seed, to choose an entry's values. */
export interface Trial {
  readonly values: Values;
  /** Mean validation AUC of its best state; null when it failed or no domain has both classes. */
  readonly validationAuc: number | null;
  readonly seconds: number | null;
  readonly error: string | null;
}

/** One seed of an entry. */
export interface SeedResult {
  readonly seed: number;
  /** Of its record, below the comparison's folder. */
  readonly file: string;
  readonly testAuc: number | null;
  readonly validationAuc: number | null;
  /** 0-based. */
  readonly bestEpoch: number;
  readonly epochs: number;
  readonly seconds: number;
  readonly peakBytes: number;
}

export interface EntryResult {
  readonly label: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly tuning: {
    readonly grid: Readonly<Record<string, readonly unknown[]>>;
    readonly tried: readonly Trial[];
    readonly chosen: Values | null;
  } | null;
  readonly runs: readonly SeedResult[];
  readonly failures: readonly { readonly seed: number; readonly error: string }[];
  /** Test AUC over the seeds; null where nothing has both classes, or no run was finished. */
  readonly auc: {
    /** Unweighted over the domains: AUC_d of the D-Train paper, the MAMDR paper's figure. */
    readonly mean: Spread | null;
    /** Weighted by each domain's rows in all parts: AUC_s of the D-Train paper. */
    readonly samples: Spread | null;
    readonly byDomain: Readonly<Record<string, Spread | null>>;
  };
  /** Mean over the domains of the rank among the entries, 1 for the best (MAMDR paper). */
  readonly rank: number | null;
  /** Of the difference of mean AUC to the baseline's, averaged over the seeds; null of the baseline. */
  readonly significance: Significance | null;
  readonly seconds: Spread | null;
  /** Of the seeds' runs the largest. */
  readonly peakBytes: number | null;
}

/** What compare.json holds. */
export interface Comparison {
  readonly format: 'polydomain-compare';
  readonly version: 1;
  readonly library: string;
  readonly data: string | DatasetOptions;
  readonly rows: Readonly<Record<SplitName, Readonly<Record<string, number>>>>;
  readonly seeds: readonly number[];
  readonly baseline: string;
  readonly entries: readonly EntryResult[];
  /** Why something is left out. */
  readonly notes: readonly string[];
}

/** How one run ended. */
export interface Outcome {
  readonly job: Job;
  readonly record: RunRecord | undefined;
  readonly error: string | undefined;
}

/** All runs of an entry. */
export interface EntryOutcome {
  readonly entry: Entry;
  readonly trials: readonly Outcome[];
  /** Undefined when every trial failed. */
  readonly chosen: Outcome | undefined;
  readonly runs: readonly Outcome[];
}

function trialOf({ job, record, error }: Outcome): Trial {
  return {
    values: job.values,
    validationAuc: record?.metrics.validation.auc.mean ?? null,
    seconds: record?.seconds ?? null,
    error: error ?? null,
  };
}

function seedResult(name: string, { seed, metrics, history, ...record }: RunRecord): SeedResult {
  const { bestEpoch, seconds, peakBytes } = record;
  return {
    seed,
    file: `runs/${name}.json`,
    testAuc: metrics.test.auc.mean,
    validationAuc: metrics.validation.auc.mean,
    bestEpoch,
    epochs: history.length,
    seconds,
    peakBytes,
  };
}

/** Gathers the entries' runs; `samples` are each domain's rows in all parts. */
export function summarizeEntries(
  outcomes: readonly EntryOutcome[],
  domains: readonly string[],
  samples: readonly number[],
): EntryResult[] {
  const results = outcomes.map(({ entry, trials, chosen, runs }): EntryResult => {
    const finished = runs.flatMap(({ job, record }) => (record ? [{ job, record }] : []));
    const aucs = finished.map(({ record }) => {
      const { byDomain } = record.metrics.test.auc;
      return domains.map((domain) => byDomain[domain] ?? null);
    });
    const { seed: _, ...settings } = settingsOf(
      chosen?.job.config ?? (entry.candidates[0] as Entry['candidates'][0]).config,
    );
    return {
      label: entry.label,
      settings,
      tuning: entry.grid
        ? {
            grid: entry.grid,
            tried: trials.map(trialOf),
            chosen: chosen?.job.values ?? null,
          }
        : null,
      runs: finished.map(({ job, record }) => seedResult(job.name, record)),
      failures: runs.flatMap(({ job, error }) => (error ? [{ seed: job.seed, error }] : [])),
      auc: {
        mean: spreadOf(finished.map(({ record }) => record.metrics.test.auc.mean)),
        samples: spreadOf(aucs.map((own) => weightedMean(own, samples))),
        byDomain: Object.fromEntries(
          domains.map((domain, d) => [domain, spreadOf(aucs.map((own) => own[d] ?? null))]),
        ),
      },
      rank: null,
      significance: null,
      seconds: spreadOf(finished.map(({ record }) => record.seconds)),
      peakBytes:
        finished.length > 0 ? Math.max(...finished.map(({ record }) => record.peakBytes)) : null,
    };
  });
  const ranked = results.filter(({ runs }) => runs.length > 0);
  const ranks = meanRanks(
    ranked.map(({ auc }) => domains.map((domain) => auc.byDomain[domain]?.mean ?? null)),
  );
  return results.map((result) => {
    const place = ranked.indexOf(result);
    return place < 0 ? result : { ...result, rank: ranks[place] ?? null };
  });
}
