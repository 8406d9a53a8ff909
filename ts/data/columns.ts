import { ConfigError, DataError } from '../errors.js';
import { badValue, type Codes, encode } from './codes.js';
import { tableOf } from './features.js';
import type { ResolvedFeature } from './options.js';
import { bucketOf, listExpected, listOf, numberExpected, numberOf, standardised } from './raw.js';
import type { Table } from './table.js';
import type { Feature, IdLists } from './types.js';

/** A feature's values before they become ids: codes of a list are those from offsets[row] on. */
export type RawColumn =
  | ({ readonly kind: 'categorical' } & Codes)
  | ({ readonly kind: 'multi-valued'; readonly offsets: Int32Array } & Codes)
  | { readonly kind: 'numeric'; readonly values: Float64Array };

/** Reads a feature's column. Throws DataError with the row of a value that does not fit. */
export function readColumn(table: Table, feature: ResolvedFeature): RawColumn {
  const { name, kind } = feature;
  if (kind === 'categorical') return { kind, ...encode(table, name) };
  const raw = table.column(name);
  if (kind === 'numeric') {
    const values = Float64Array.from(raw as ArrayLike<never>, (value: unknown, row) => {
      const number = numberOf(value);
      if (number !== undefined) return number;
      throw badValue(table, name, row, value, numberExpected);
    });
    return { kind, values };
  }
  const known = new Map<string, number>();
  const codes: number[] = [];
  const offsets = new Int32Array(raw.length + 1);
  for (let row = 0; row < raw.length; row++) {
    const list = listOf(raw[row], feature.separator);
    if (!list) throw badValue(table, name, row, raw[row], listExpected(feature.separator));
    for (const value of list.slice(0, feature.maxValues)) {
      let code = known.get(value);
      if (code === undefined) {
        code = known.size;
        known.set(value, code);
      }
      codes.push(code);
    }
    offsets[row + 1] = codes.length;
  }
  return { kind, codes: Int32Array.from(codes), offsets, names: [...known.keys()] };
}

/** The column's values in the rows `rows`, in their order. */
export function takeRows<Column extends RawColumn>(column: Column, rows: Int32Array): Column {
  if (column.kind === 'numeric') {
    return { ...column, values: Float64Array.from(rows, (row) => column.values[row] as number) };
  }
  if (column.kind === 'categorical') {
    return { ...column, codes: rows.map((row) => column.codes[row] as number) };
  }
  const { offsets, ids } = takeLists({ offsets: column.offsets, ids: column.codes }, rows);
  return { ...column, offsets, codes: ids };
}

/** The lists of the rows `rows`, with ids as `translate` has them, and `width` of them at most. */
export function takeLists(
  lists: IdLists,
  rows: Int32Array,
  translate: (id: number) => number = (id) => id,
  width = Number.POSITIVE_INFINITY,
): IdLists {
  const sizeOf = (row: number): number =>
    Math.min(width, (lists.offsets[row + 1] as number) - (lists.offsets[row] as number));
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    offsets[i + 1] = (offsets[i] as number) + sizeOf(row);
  });
  const ids = new Int32Array(offsets[rows.length] as number);
  rows.forEach((row, i) => {
    const from = lists.offsets[row] as number;
    const to = offsets[i] as number;
    for (let j = 0; j < sizeOf(row); j++) ids[to + j] = translate(lists.ids[from + j] as number);
  });
  return { offsets, ids };
}

/** What training knows of the features, and how their values become ids. */
export interface Fitted {
  readonly features: readonly Feature[];
  /** By table (idTables), in the order of the ids from 1. */
  readonly vocabularies: readonly (readonly string[])[];
  /** By feature: the id of each code; nothing for numbers. */
  readonly ids: readonly Int32Array[];
}

/** Vocabularies, means and widths of the training part's rows. Throws ConfigError, DataError. */
export function fitFeatures(
  features: readonly ResolvedFeature[],
  columns: readonly RawColumn[],
  isTraining: (row: number) => boolean,
): Fitted {
  const vocabularies = new Map<string, Map<string, number>>();
  const buckets = new Map<string, { readonly of: string; readonly count: number | undefined }>();
  features.forEach((feature, f) => {
    if (feature.kind === 'numeric') return;
    const table = tableOf(feature);
    const first = buckets.get(table) ?? { of: feature.name, count: feature.buckets };
    if (first.count !== feature.buckets) {
      throw new ConfigError(
        `data.features: '${feature.name}' and '${first.of}' share table '${table}' with ${feature.buckets ?? 'no'} and ${first.count ?? 'no'} buckets; expected the same`,
      );
    }
    buckets.set(table, first);
    const known = vocabularies.get(table) ?? new Map<string, number>();
    vocabularies.set(table, known);
    if (feature.buckets !== undefined) return;
    forEachCode(columns[f] as RawColumn, isTraining, (code, names) => {
      const name = names[code] as string;
      if (!known.has(name)) known.set(name, known.size + 1);
    });
  });
  const ids = columns.map((column, f) => {
    const feature = features[f] as ResolvedFeature;
    if (column.kind === 'numeric' || feature.kind === 'numeric') return new Int32Array();
    const known = vocabularies.get(tableOf(feature));
    return Int32Array.from(column.names, (name) =>
      feature.buckets === undefined ? (known?.get(name) ?? 0) : bucketOf(name, feature.buckets),
    );
  });
  return {
    features: features.map((feature, f): Feature => {
      const column = columns[f] as RawColumn;
      const { name } = feature;
      if (feature.kind === 'numeric') {
        return { name, kind: 'numeric', ...momentsOf(name, column, isTraining) };
      }
      const known = vocabularies.get(tableOf(feature)) as Map<string, number>;
      const size = feature.buckets ?? known.size + 1;
      const hashed = feature.buckets === undefined ? {} : { hashed: true as const };
      const shared = feature.table === undefined ? {} : { table: feature.table };
      if (feature.kind === 'categorical') {
        return { name, kind: 'categorical', size, ...hashed, ...shared };
      }
      const { pooling, separator, maxValues } = feature;
      const width = maxValues ?? longest(column, isTraining);
      const text = separator === undefined ? {} : { separator };
      return { name, kind: 'multi-valued', size, ...hashed, ...shared, pooling, width, ...text };
    }),
    vocabularies: [...vocabularies.values()].map((known) => [...known.keys()]),
    ids,
  };
}

function forEachCode(
  column: RawColumn,
  isTraining: (row: number) => boolean,
  visit: (code: number, names: readonly string[]) => void,
): void {
  if (column.kind === 'numeric') return;
  const rows = column.kind === 'categorical' ? column.codes.length : column.offsets.length - 1;
  for (let row = 0; row < rows; row++) {
    if (!isTraining(row)) continue;
    const [begin, end] =
      column.kind === 'categorical'
        ? [row, row + 1]
        : [column.offsets[row] as number, column.offsets[row + 1] as number];
    for (let i = begin; i < end; i++) visit(column.codes[i] as number, column.names);
  }
}

function longest(column: RawColumn, isTraining: (row: number) => boolean): number {
  let width = 1;
  if (column.kind !== 'multi-valued') return width;
  for (let row = 0; row + 1 < column.offsets.length; row++) {
    const size = (column.offsets[row + 1] as number) - (column.offsets[row] as number);
    if (isTraining(row)) width = Math.max(width, size);
  }
  return width;
}

function momentsOf(
  name: string,
  column: RawColumn,
  isTraining: (row: number) => boolean,
): { mean: number; deviation: number } {
  if (column.kind !== 'numeric') throw new DataError(`'${name}' is not numeric`);
  const values = column.values.filter((value, row) => isTraining(row) && !Number.isNaN(value));
  const [first = 0] = values;
  // Also of no values. Rounding could leave a deviation that is not 0, and blow up what differs.
  if (values.every((value) => value === first)) return { mean: first, deviation: 1 };
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / values.length);
  if (Number.isFinite(mean) && Number.isFinite(deviation) && deviation > 0) {
    return { mean, deviation };
  }
  throw new DataError(
    `column '${name}': mean ${mean}, deviation ${deviation}; expected values whose squares a double can hold`,
  );
}

/** Of each number its standardised value, or 0 and a 1 for a missing one. */
export function pairsOf(
  values: Float64Array,
  moments: { readonly mean: number; readonly deviation: number },
  fail: (row: number) => Error,
): Float32Array {
  const pairs = new Float32Array(2 * values.length);
  values.forEach((value, row) => {
    if (Number.isNaN(value)) {
      pairs[2 * row + 1] = 1;
      return;
    }
    const own = standardised(value, moments);
    if (own === undefined) throw fail(row);
    pairs[2 * row] = own;
  });
  return pairs;
}
