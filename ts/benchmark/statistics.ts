/** The value below which a share of the values lies, between neighbours where it falls between two. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (at - Math.floor(at)) * (high - low);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Four digits: more than a timing has. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
