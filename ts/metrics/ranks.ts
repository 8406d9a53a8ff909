/** Mean and sample standard deviation; no deviation of fewer than two values. */
export interface Spread {
  readonly mean: number;
  readonly deviation: number | null;
}

/** Mean and deviation (n - 1) of values, leaving out what is null; null when nothing is left. */
export function spreadOf(values: readonly (number | null)[]): Spread | null {
  const defined = values.filter((value) => value !== null);
  if (defined.length === 0) return null;
  const mean = defined.reduce((sum, value) => sum + value, 0) / defined.length;
  if (defined.length === 1) return { mean, deviation: null };
  const squares = defined.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (defined.length - 1)) };
}

/** Ranks of scores, 1 for the largest; equal ones share the mean of their ranks; null stays null. */
export function ranksOf(scores: readonly (number | null)[]): (number | null)[] {
  return scores.map((own) => {
    if (own === null) return null;
    const better = scores.filter((other) => other !== null && other > own).length;
    const equal = scores.filter((other) => other === own).length;
    return better + (equal + 1) / 2;
  });
}

/**
 * RANK of the MAMDR paper: each entry's rank among all by domain, and then the mean over the domains.
 * `scores[entry][domain]`; a domain in which an entry has no score does not count for any.
 */
export function meanRanks(scores: readonly (readonly (number | null)[])[]): (number | null)[] {
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

/** Mean of the defined values, each weighted; null where nothing is defined. */
export function weightedMean(
  values: readonly (number | null)[],
  weights: readonly number[],
): number | null {
  let sum = 0;
  let total = 0;
  values.forEach((value, i) => {
    if (value === null) return;
    sum += value * (weights[i] as number);
    total += weights[i] as number;
  });
  return total > 0 ? sum / total : null;
}
