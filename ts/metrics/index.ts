import { addon } from '../native/load.js';

/** Scores of one domain. `auc` is undefined when its rows are of one class only. */
export interface DomainMetrics {
  readonly auc: number | undefined;
  readonly loss: number;
  readonly rows: number;
}

/** Scores of a split. */
export interface SplitMetrics {
  readonly auc: {
    /** Unweighted mean over the domains that have both classes: the papers' figure. */
    readonly mean: number;
    /** Weighted by rows. */
    readonly weighted: number;
    readonly byDomain: Readonly<Record<string, number | undefined>>;
    /** Domains with rows of one class only, or none: they have no AUC. */
    readonly undefinedDomains: readonly string[];
  };
  readonly loss: number;
  readonly rows: number;
}

/** Gathers the domains' scores. */
export function summarize(
  domains: readonly string[],
  scores: readonly DomainMetrics[],
): SplitMetrics {
  const byDomain: Record<string, number | undefined> = {};
  const undefinedDomains: string[] = [];
  let sum = 0;
  let weighted = 0;
  let weight = 0;
  let count = 0;
  let loss = 0;
  let rows = 0;
  domains.forEach((domain, d) => {
    const score = scores[d] as DomainMetrics;
    byDomain[domain] = score.auc;
    rows += score.rows;
    loss += score.loss * score.rows;
    if (score.auc === undefined) {
      undefinedDomains.push(domain);
      return;
    }
    sum += score.auc;
    count++;
    weighted += score.auc * score.rows;
    weight += score.rows;
  });
  return {
    auc: { mean: sum / count, weighted: weighted / weight, byDomain, undefinedDomains },
    loss: loss / rows,
    rows,
  };
}

/** Exact area under the ROC curve, ties counting half; undefined when a class is missing. */
export function auc(scores: Float32Array, labels: Float32Array): number | undefined {
  const value = addon().auc(scores, labels);
  return Number.isNaN(value) ? undefined : value;
}

/** Mean binary cross entropy of probabilities, clipped to [1e-7, 1 - 1e-7]. */
export function logLoss(scores: Float32Array, labels: Float32Array): number {
  return addon().logLoss(scores, labels);
}
