import { z } from 'zod';
import { DataError, ShapeError } from '../errors.js';
import { addon } from '../native/load.js';
import { count, parse, shown } from '../options.js';
import { requireArray, requireNumbers } from './require.js';

/** Rows sorted by domain, as the parts of a Dataset have them. */
export interface LabelledRows {
  /** 0 or 1. */
  readonly labels: Float32Array;
  /** Rows of domain d: from domainOffsets[d] to domainOffsets[d + 1]. */
  readonly domainOffsets: Int32Array;
}

const bootstrapOptions = z.strictObject({
  /** 1000 by default. */
  resamples: count.lte(1e6).default(1000),
  /** Of the draws; 0 by default. */
  seed: z.int().gte(0).default(0),
});
export type BootstrapOptions = z.input<typeof bootstrapOptions>;

/** A difference of mean AUCs and how sure it is. */
export interface Significance {
  readonly difference: number;
  /** Borders of the 95% interval. */
  readonly low: number;
  readonly high: number;
  /** Two-sided: how likely a difference is that lies as far on the other side of 0. */
  readonly p: number;
}

/**
 * Mean AUC over the domains of each of `runs` (scores [rows]) on bootstrap resamples, one array
 * [resamples] per run. All runs see the same resamples, so that they can be compared in pairs. A resample draws within each
 * domain as many positives and as many negatives as it has, with replacement; domains of one class are left
 * out. Off the event loop. Throws ShapeError, ConfigError, and DataError for
 * a score that is not a number.
 */
export async function bootstrapAuc(
  runs: readonly Float32Array[],
  rows: LabelledRows,
  options: BootstrapOptions = {},
): Promise<Float64Array[]> {
  const { resamples, seed } = parse(bootstrapOptions, options, 'bootstrapAuc');
  requireArray(runs, 'bootstrapAuc', "runs' scores");
  const { labels, domainOffsets } = Object(rows) as LabelledRows;
  for (const scores of runs) {
    if (!(scores instanceof Float32Array)) {
      throw new ShapeError('bootstrapAuc: scores of another kind; expected Float32Arrays');
    }
    requireNumbers(scores, 'bootstrapAuc');
  }
  if (!(labels instanceof Float32Array && domainOffsets instanceof Int32Array)) {
    throw new ShapeError(
      'bootstrapAuc: labels or domainOffsets of another kind; expected a Float32Array and an Int32Array',
    );
  }
  const means = await addon().bootstrapAucs(runs, labels, domainOffsets, resamples, seed);
  return runs.map((_, r) =>
    Float64Array.from({ length: resamples }, (_, i) => means[i * runs.length + r] as number),
  );
}

/** The value below which a share of ascending values lies, between two neighbours by their distance. */
function quantile(ascending: Float64Array, share: number): number {
  const place = share * (ascending.length - 1);
  const below = ascending[Math.floor(place)] as number;
  const above = ascending[Math.ceil(place)] as number;
  return below + (place - Math.floor(place)) * (above - below);
}

/**
 * What the differences on resamples say of an observed one: the percentile interval, and twice the smaller share of
 * resamples on either side of 0, each counted one more (Efron and Tibshirani, 1993, chapters 13 and 15). Throws
 * ShapeError for resamples that are no Float64Array or none at all, and DataError for what is no finite number.
 */
export function significanceOf(difference: number, resampled: Float64Array): Significance {
  if (!(resampled instanceof Float64Array) || resampled.length === 0) {
    throw new ShapeError(
      `significanceOf: resamples ${shown(resampled)}; expected a Float64Array with one at least`,
    );
  }
  const values = [difference, ...resampled];
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw new DataError(`significanceOf: ${shown(values[at])}; expected finite numbers`);
  const ascending = Float64Array.from(resampled).sort();
  const most = resampled.length + 1;
  const below = ascending.filter((value) => value <= 0).length + 1;
  const above = ascending.filter((value) => value >= 0).length + 1;
  return {
    difference,
    low: quantile(ascending, 0.025),
    high: quantile(ascending, 0.975),
    p: Math.min(1, (2 * Math.min(below, above)) / most),
  };
}
