import { FeatureFit, type Fitted, type RawColumn } from '../columns.js';
import type { ResolvedFeature } from '../options.js';
import { Counts } from './counts.js';
import type { Target } from './output.js';
import type { Piece } from './pieces.js';

/** What has to be known of the rows before they can be written. */
export interface Scanned {
  readonly fitted: Fitted;
  readonly rows: Counts;
  /** By feature; of multi-valued ones the values of their lists. */
  readonly listed: readonly Counts[];
}

/**
 * Reads all rows once, or twice where there are numbers or lists: `pieces` gives them from the first on, `read`
 * their features' columns. Throws DataError, ConfigError.
 */
export async function scan(
  pieces: () => AsyncIterable<Piece>,
  read: (piece: Piece) => RawColumn[],
  features: readonly ResolvedFeature[],
  domains: number,
  target: Target | undefined,
): Promise<Scanned> {
  const fit = new FeatureFit(features, target !== undefined);
  const rows = new Counts(domains);
  for await (const piece of pieces()) {
    fit.add(read(piece), (row) => piece.part[row] === 0);
    piece.domain.forEach((domain, row) => {
      rows.add(piece.part[row] as number, domain, 1);
    });
  }
  const listed = features.map(() => new Counts(domains));
  if (features.every(({ kind }) => kind === 'categorical')) {
    return { fitted: fit.fitted(), rows, listed };
  }
  const widths = features.map(({ name }, f) =>
    Math.min(fit.width(f), target?.widthOf(name) ?? Number.POSITIVE_INFINITY),
  );
  for await (const piece of pieces()) {
    const columns = read(piece);
    fit.measure(columns, (row) => piece.part[row] === 0);
    columns.forEach((column, f) => {
      if (column.kind !== 'multi-valued') return;
      const { offsets } = column;
      piece.domain.forEach((domain, row) => {
        const size = (offsets[row + 1] as number) - (offsets[row] as number);
        const kept = Math.min(widths[f] as number, size);
        listed[f]?.add(piece.part[row] as number, domain, kept);
      });
    });
  }
  return { fitted: fit.fitted(), rows, listed };
}
