/**
 * Source that defines `data`: three domains over two features, for scripts in processes of their own. Part p has its
 * ids moved by `seeds[p]`; `counts` are the rows of each domain, in every part.
 */
export function threeDomains(
  library: string,
  sizes: readonly [number, number],
  counts: readonly [number, number, number],
  seeds: readonly [number, number, number] = [0, 0, 0],
): string {
  return `
import { Dataset, fit, models, optim, strategies } from ${JSON.stringify(library)};
const sizes = ${JSON.stringify(sizes)};
const counts = ${JSON.stringify(counts)};
const part = (seed) => {
  const rows = counts.reduce((sum, count) => sum + count, 0);
  const ids = sizes.map((size, f) => Int32Array.from({ length: rows }, (_, row) => 1 + (row * (7 + 4 * f) + seed) % (size - 1)));
  return {
    rows,
    ids,
    labels: Float32Array.from({ length: rows }, (_, row) => ((ids[0][row] * 3 + ids[1][row]) % 7 < 3 ? 1 : 0)),
    domainOffsets: Int32Array.of(0, counts[0], counts[0] + counts[1], rows),
  };
};
const schema = {
  label: 'label',
  domain: 'domain',
  features: sizes.map((size, f) => ({ name: 'f' + f, kind: 'categorical', size })),
  domains: ['a', 'b', 'c'],
};
const data = Dataset.of(
  schema,
  sizes.map((size) => Array.from({ length: size - 1 }, (_, i) => 'v' + i)),
  ${JSON.stringify(seeds)}.map(part),
);
`;
}
