import { DataError, ShapeError } from '../errors.js';
import { addon } from '../native/load.js';
import { shown } from '../options.js';
import { requireArray, requireLength, requireNumbers } from './require.js';

export {
  type BootstrapOptions,
  bootstrapAuc,
  type LabelledRows,
  type Significance,
  significanceOf,
} from './bootstrap.js';
export { meanRanks, ranksOf, type Spread, spreadOf, weightedMean } from './ranks.js';

/** Scores of one domain. `auc` is null when its rows are of one class only. */
export interface DomainMetrics {
  readonly auc: number | null;
  readonly loss: number;
  readonly rows: number;
}

/** Scores of a split; null where no domain has any. */
export interface SplitMetrics {
  readonly auc: {
    /** Unweighted mean over the domains that have both classes: the papers' figure. */
    readonly mean: number | null;
    /** Weighted by rows. */
    readonly weighted: number | null;
    /** null: rows of one class only, or none. */
    readonly byDomain: Readonly<Record<string, number | null>>;
    /** The domains that have no AUC; they are left out of both means. */
    readonly undefined: readonly string[];
  };
  /** Binary cross entropy, without regularisation. */
  readonly loss: {
    readonly mean: number | null;
    readonly weighted: number | null;
    readonly byDomain: Readonly<Record<string, number | null>>;
  };
  readonly rows: Readonly<Record<string, number>>;
}

function means(scores: readonly DomainMetrics[], value: (score: DomainMetrics) => number | null) {
  const defined = scores.flatMap((score) => {
    const own = value(score);
    return own === null ? [] : [{ own, rows: score.rows }];
  });
  if (defined.length === 0) return { mean: null, weighted: null };
  const rows = defined.reduce((sum, score) => sum + score.rows, 0);
  return {
    mean: defined.reduce((sum, score) => sum + score.own, 0) / defined.length,
    weighted: defined.reduce((sum, score) => sum + score.own * score.rows, 0) / rows,
  };
}

/** Gathers the domains' scores. Throws ShapeError for others than one per domain, and DataError for what are none. */
export function summarize(
  domains: readonly string[],
  scores: readonly DomainMetrics[],
): SplitMetrics {
  requireArray(domains, 'summarize', 'names of domains');
  requireArray(scores, 'summarize: scores', 'scores, one per domain');
  requireLength(scores, 'summarize: scores', domains.length);
  scores.forEach((own, d) => {
    const { auc, loss, rows } = Object(own) as Partial<DomainMetrics>;
    const isNumber = (value: unknown) => typeof value === 'number';
    if (isNumber(loss) && isNumber(rows) && (auc === null || isNumber(auc))) return;
    throw new DataError(
      `summarize: scores of domain '${domains[d]}' ${shown(own)}; expected { auc, loss, rows }`,
    );
  });
  const loss = (score: DomainMetrics): number | null => (score.rows > 0 ? score.loss : null);
  const byDomain = <Value>(value: (score: DomainMetrics) => Value): Record<string, Value> =>
    Object.fromEntries(domains.map((domain, d) => [domain, value(scores[d] as DomainMetrics)]));
  return {
    auc: {
      ...means(scores, (score) => score.auc),
      byDomain: byDomain((score) => score.auc),
      undefined: domains.filter((_, d) => scores[d]?.auc === null),
    },
    loss: { ...means(scores, loss), byDomain: byDomain(loss) },
    rows: byDomain((score) => score.rows),
  };
}

function requireRows(what: string, scores: Float32Array, labels: Float32Array): void {
  for (const [name, values] of Object.entries({ scores, labels })) {
    if (values instanceof Float32Array) continue;
    throw new ShapeError(`${what}: ${name} ${shown(values)}; expected a Float32Array`);
  }
  requireNumbers(scores, what);
  const row = labels.findIndex((label) => label !== 0 && label !== 1);
  if (row < 0) return;
  throw new DataError(`${what}: row ${row} has label ${labels[row]}; expected 0 or 1`);
}

/**
 * Exact area under the ROC curve, ties counting half; null when a class is missing. Throws DataError for a
 * score that is not a number and a label that is neither 0 nor 1, and ShapeError for arrays of another kind or of different length.
 */
export function auc(scores: Float32Array, labels: Float32Array): number | null {
  requireRows('auc', scores, labels);
  const value = addon().auc(scores, labels);
  return Number.isNaN(value) ? null : value;
}

/** Mean binary cross entropy of probabilities, clipped to [1e-7, 1 - 1e-7]. Throws as auc() does. */
export function logLoss(scores: Float32Array, labels: Float32Array): number {
  requireRows('logLoss', scores, labels);
  return addon().logLoss(scores, labels);
}
