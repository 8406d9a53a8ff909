/** Every combination of a grid { key: values }, as { key: value }. */
export function combinations(grid) {
  return Object.entries(grid).reduce(
    (all, [key, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [key]: value }))),
    [{}],
  );
}

/** Sets `a.b` of a config. */
export function set(config, path, value) {
  const keys = path.split('.');
  const last = keys.pop();
  keys.reduce((at, key) => at[key], config)[last] = value;
}

/** 97.5% quantiles of Student's t by degrees of freedom. */
const t = [Number.NaN, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** Mean, mean difference to the baseline seed by seed, and half of its 95% interval. */
export function paired(scores, baseline) {
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const differences = scores.map((score, s) => score - baseline[s]);
  const difference = mean(differences);
  const variance = mean(differences.map((d) => (d - difference) ** 2));
  const freedom = scores.length - 1;
  const halfWidth = t[freedom] * Math.sqrt(variance / freedom);
  return { mean: mean(scores), difference, halfWidth };
}
