import { requireArray, requireLength, requireValues } from './require.js';

/** Mean and sample standard deviation; no deviation of fewer than two values. */
export interface Spread {
  readonly mean: number;
  readonly deviation: number | null;
}

/**
 * Mean and deviation (n - 1) of values, leaving out what is null; null when nothing is left. Throws ShapeError for
 * what is no array, and DataError for a value that is no finite number.
 */
export function spreadOf(values: readonly (number | null)[]): Spread | null {
  requireValues(values, 'spreadOf');
  const defined = values.filter((value) => value !== null);
  if (defined.length === 0) return null;
  const mean = defined.reduce((sum, value) => sum + value, 0) / defined.length;
  if (defined.length === 1) return { mean, deviation: null };
  const squares = defined.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (defined.length - 1)) };
}

/** Ranks of scores, 1 for the largest; equal ones share the mean of their ranks; null stays null. Throws as spreadOf(). */
export function ranksOf(scores: readonly (number | null)[]): (number | null)[] {
  requireValues(scores, 'ranksOf');
  return scores.map((own) => {
    if (own === null) return null;
    const better = scores.filter((other) => other !== null && other > own).length;
    const equal = scores.filter((other) => other === own).length;
    return better + (equal + 1) / 2;
  });
}

/**
 * RANK of the MAMDR paper: each entry's rank among all by domain, and then the mean over the domains.
 * `scores[entry][domain]`; a domain in which an entry has no score does not count for any. Throws as spreadOf(), and
 * ShapeError for entries of different length.
 */
export function meanRanks(scores: readonly (readonly (number | null)[])[]): (number | null)[] {
  requireArray(scores, 'meanRanks', "entries' scores");
  scores.forEach((own, e) => {
    requireValues(own, `meanRanks: entry ${e}`);
    requireLength(own, `meanRanks: entry ${e}`, scores[0]?.length ?? 0);
  });
  const sums = scores.map(() => 0);
  let counted = 0;
  for (const d of (scores[0] ?? []).keys()) {
    const ranks = ranksOf(scores.map((own) => own[d] ?? null));
    if (ranks.includes(null)) continue;
    counted++;
    ranks.forEach((rank, e) => {
      sums[e] = (sums[e] as number) + (rank as number);
    });
  }
  return sums.map((sum) => (counted > 0 ? sum / counted : null));
}

/**
 * Mean of the defined values, each weighted; null where nothing is defined. Throws as spreadOf(), and ShapeError for
 * another number of weights.
 */
export function weightedMean(
  values: readonly (number | null)[],
  weights: readonly number[],
): number | null {
  requireValues(values, 'weightedMean');
  requireValues(weights, 'weightedMean: weights');
  requireLength(weights, 'weightedMean: weights', values.length);
  let sum = 0;
  let total = 0;
  values.forEach((value, i) => {
    if (value === null) return;
    sum += value * (weights[i] as number);
    total += weights[i] as number;
  });
  return total > 0 ? sum / total : null;
}
