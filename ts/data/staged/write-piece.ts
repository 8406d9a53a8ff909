import { type Fitted, pairsOf, type RawColumn } from '../columns.js';
import { ofKind } from '../features.js';
import { labelsOf, weightsOf } from '../labels.js';
import type { ResolvedRoles } from '../options.js';
import { tooLarge } from '../prepare.js';
import { restandardised } from '../reencode.js';
import type { Feature, NumericFeature } from '../types.js';
import type { Output } from './output.js';
import type { PartWriter } from './part-writer.js';
import type { Piece } from './pieces.js';

/** Writes the rows of a piece into their parts. Throws DataError. */
export function writePiece(
  { table, item, domain, part }: Piece,
  columns: readonly RawColumn[],
  { label, weight }: ResolvedRoles,
  { idsOf }: Fitted,
  { columns: outputs, domains }: Output,
  writers: readonly PartWriter[],
): void {
  const forEachRow = (visit: (writer: PartWriter, domain: number, row: number) => void): void => {
    domain.forEach((own, row) => {
      visit(writers[part[row] as number] as PartWriter, domains[own] as number, row);
    });
  };
  const labels =
    label === undefined ? new Float32Array(table.rows).fill(item ? 0 : 1) : labelsOf(table, label);
  const weights = weight === undefined ? undefined : weightsOf(table, weight);
  forEachRow((writer, d, row) => {
    writer.row(d, labels[row] as number, weights?.[row] ?? 1);
  });
  const features = outputs.map(({ target }) => target);
  for (const { at, own: feature, target, ids: idsNow } of outputs) {
    const column = columns[at] as RawColumn;
    const i = ofKind(features, target.kind).indexOf(target as never);
    if (feature.kind === 'numeric') {
      const { values } = column as Extract<RawColumn, { kind: 'numeric' }>;
      const own = pairsOf(values, feature, (row) => tooLarge(feature, values[row]));
      const pairs = restandardised(own, feature, target as NumericFeature);
      forEachRow((writer, d, row) => {
        writer.number(i, d, pairs[2 * row] as number, pairs[2 * row + 1] as number);
      });
      continue;
    }
    if (column.kind === 'numeric') continue;
    const own = idsOf(at, column.names);
    const ids = idsNow ? own.map((id) => idsNow[id] as number) : own;
    if (column.kind === 'categorical') {
      forEachRow((writer, d, row) => {
        writer.id(i, d, ids[column.codes[row] as number] as number);
      });
      continue;
    }
    const { offsets, codes } = column;
    const widthIn = (of: Feature) => (of.kind === 'multi-valued' ? of.width : 0);
    const width = Math.min(widthIn(feature), widthIn(target));
    forEachRow((writer, d, row) => {
      const from = offsets[row] as number;
      const own = codes.subarray(from, from + Math.min(width, (offsets[row + 1] as number) - from));
      writer.list(
        i,
        d,
        Array.from(own, (code) => ids[code] as number),
      );
    });
  }
}
