import { ofKind } from '../features.js';
import { type Schema, splitNames } from '../types.js';
import type { Counts } from './counts.js';

/** Values in memory on their way to the file, all columns together. */
const buffered = 2 ** 23;

/** The tensors of the file, in the order of writeFolder(), and where domains' values begin in them. */
export interface Plan {
  readonly schema: Schema;
  readonly weighted: boolean;
  readonly shapes: ReadonlyMap<string, { dtype: 'F32' | 'I32'; shape: [number] }>;
  /** By part; of the values of each multi-valued feature alike. */
  readonly rowOffsets: readonly Int32Array[];
  readonly listOffsets: readonly (readonly Int32Array[])[];
  /** Values of a domain and a column that are kept until they are written. */
  readonly capacity: number;
}

/** `listed`: values by feature of the schema. Throws DataError for more than offsets can tell. */
export function planOf(
  schema: Schema,
  weighted: boolean,
  rows: Counts,
  listed: readonly Counts[],
): Plan {
  const { features, domains } = schema;
  const shapes = new Map<string, { dtype: 'F32' | 'I32'; shape: [number] }>();
  const rowOffsets = splitNames.map((_, p) => rows.offsets(p));
  const lists = listed.filter((_, f) => features[f]?.kind === 'multi-valued');
  const listOffsets = splitNames.map((_, p) => lists.map((own) => own.offsets(p)));
  splitNames.forEach((name, p) => {
    const count = rowOffsets[p]?.at(-1) as number;
    const add = (column: string, dtype: 'F32' | 'I32', values: number): void => {
      shapes.set(`${name}.${column}`, { dtype, shape: [values] });
    };
    add('domainOffsets', 'I32', domains.length + 1);
    add('labels', 'F32', count);
    ofKind(features, 'categorical').forEach((_, i) => {
      add(`ids.${i}`, 'I32', count);
    });
    ofKind(features, 'numeric').forEach((_, i) => {
      add(`numbers.${i}`, 'F32', 2 * count);
    });
    listOffsets[p]?.forEach((offsets, i) => {
      add(`lists.${i}.offsets`, 'I32', count + 1);
      add(`lists.${i}.ids`, 'I32', offsets.at(-1) as number);
    });
    if (weighted) add('weights', 'F32', count);
  });
  const capacity = Math.floor(buffered / (shapes.size * domains.length));
  return {
    ...{ schema, weighted, shapes, rowOffsets, listOffsets },
    // Even, as numbers come in pairs.
    capacity: Math.min(2 ** 14, Math.max(16, 2 * (capacity >> 1))),
  };
}
