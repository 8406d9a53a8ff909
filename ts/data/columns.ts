import { ConfigError, DataError } from '../errors.js';
import { badValue, type Codes, encode } from './codes.js';
import { tableOf } from './features.js';
import { type Numbered, Numbering } from './numbering.js';
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
  const known = new Numbering();
  const codes: number[] = [];
  const offsets = new Int32Array(raw.length + 1);
  for (let row = 0; row < raw.length; row++) {
    const list = listOf(raw[row], feature.separator);
    if (!list) throw badValue(table, name, row, raw[row], listExpected(feature.separator));
    for (const value of list.slice(0, feature.maxValues)) codes.push(known.add(value));
    offsets[row + 1] = codes.length;
  }
  return { kind, codes: Int32Array.from(codes), offsets, names: known.values };
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
  /** By table and id: how often the training rows have it, where that was counted. */
  readonly counts: readonly Float64Array[];
  /** The ids of values of feature `feature`. */
  idsOf(feature: number, values: readonly string[]): Int32Array;
}

/** Learns vocabularies, means and widths from the training part's rows, piece by piece. */
export class FeatureFit {
  /** By feature: its values in the order of first appearance. */
  readonly #values: readonly Numbering[];
  /** By feature and number of a value. */
  readonly #counts: readonly number[][];
  readonly #widths: Int32Array;
  readonly #moments: readonly Moments[];

  /** Throws ConfigError where features share a table and disagree about it. */
  constructor(
    readonly features: readonly ResolvedFeature[],
    private readonly counted = false,
  ) {
    requireSameBuckets(features);
    this.#values = features.map(() => new Numbering());
    this.#counts = features.map(() => []);
    this.#widths = new Int32Array(features.length).fill(1);
    this.#moments = features.map(() => new Moments());
  }

  /** First every piece is added. */
  add(columns: readonly RawColumn[], isTraining: (row: number) => boolean): void {
    this.features.forEach((feature, f) => {
      const column = columns[f] as RawColumn;
      if (feature.kind === 'numeric') {
        forEachNumber(column, isTraining, (value) => this.#moments[f]?.add(value));
        return;
      }
      this.#widths[f] = Math.max(this.#widths[f] as number, longest(column, isTraining));
      if (feature.buckets !== undefined) return;
      const known = this.#values[f] as Numbering;
      const counts = this.#counts[f] as number[];
      const names = column.kind === 'numeric' ? [] : column.names;
      /** Of codes that have come; -1: others. */
      const numbers = new Int32Array(names.length).fill(-1);
      forEachCode(column, isTraining, (code) => {
        let number = numbers[code] as number;
        if (number < 0) {
          number = known.add(names[code] as string);
          numbers[code] = number;
        }
        if (this.counted) counts[number] = (counts[number] ?? 0) + 1;
      });
    });
  }

  /** Then every piece is measured: deviations are those from the mean of all. */
  measure(columns: readonly RawColumn[], isTraining: (row: number) => boolean): void {
    this.features.forEach(({ kind }, f) => {
      if (kind !== 'numeric') return;
      forEachNumber(columns[f] as RawColumn, isTraining, (value) =>
        this.#moments[f]?.measure(value),
      );
    });
  }

  /** Values that a row of multi-valued feature `f` has at most. */
  width(f: number): number {
    const feature = this.features[f] as ResolvedFeature;
    const width = this.#widths[f] as number;
    return feature.kind === 'multi-valued' ? (feature.maxValues ?? width) : width;
  }

  /** Throws DataError for numbers without moments. */
  fitted(): Fitted {
    const tables = new Map<string, Numbering>();
    this.features.forEach((feature, f) => {
      if (feature.kind === 'numeric') return;
      const own = this.#values[f] as Numbering;
      const table = tableOf(feature);
      const known = tables.get(table);
      // Further features add what the first one does not have.
      if (known) for (const value of own.values) known.add(value);
      else tables.set(table, own);
    });
    return {
      features: this.features.map((feature, f) => this.#feature(feature, f, tables)),
      vocabularies: [...tables.values()].map(({ values }) => values),
      counts: this.counted ? [...tables].map(([name, known]) => this.#countsIn(name, known)) : [],
      idsOf: (f, values) => {
        const feature = this.features[f] as Exclude<ResolvedFeature, { kind: 'numeric' }>;
        const { buckets } = feature;
        const known = tables.get(tableOf(feature)) as Numbered;
        const ids = new Int32Array(values.length);
        for (let i = 0; i < ids.length; i++) {
          const value = values[i] as string;
          ids[i] = buckets === undefined ? known.find(value) + 1 : bucketOf(value, buckets);
        }
        return ids;
      },
    };
  }

  #countsIn(table: string, known: Numbered): Float64Array {
    const counts = new Float64Array(known.size + 1);
    this.features.forEach((feature, f) => {
      if (feature.kind === 'numeric' || tableOf(feature) !== table) return;
      const { values } = this.#values[f] as Numbering;
      this.#counts[f]?.forEach((count, number) => {
        const id = known.find(values[number] as string) + 1;
        counts[id] = (counts[id] as number) + count;
      });
    });
    return counts;
  }

  #feature(feature: ResolvedFeature, f: number, tables: ReadonlyMap<string, Numbered>): Feature {
    const { name } = feature;
    if (feature.kind === 'numeric') {
      return { name, kind: 'numeric', ...(this.#moments[f] as Moments).result(name) };
    }
    const known = tables.get(tableOf(feature)) as Numbered;
    const size = feature.buckets ?? known.size + 1;
    const hashed = feature.buckets === undefined ? {} : { hashed: true as const };
    const shared = feature.table === undefined ? {} : { table: feature.table };
    if (feature.kind === 'categorical') {
      return { name, kind: 'categorical', size, ...hashed, ...shared };
    }
    const { pooling, separator } = feature;
    const width = this.width(f);
    const text = separator === undefined ? {} : { separator };
    return { name, kind: 'multi-valued', size, ...hashed, ...shared, pooling, width, ...text };
  }
}

function requireSameBuckets(features: readonly ResolvedFeature[]): void {
  const buckets = new Map<string, { readonly of: string; readonly count: number | undefined }>();
  for (const feature of features) {
    if (feature.kind === 'numeric') continue;
    const table = tableOf(feature);
    const first = buckets.get(table) ?? { of: feature.name, count: feature.buckets };
    if (first.count !== feature.buckets) {
      throw new ConfigError(
        `data.features: '${feature.name}' and '${first.of}' share table '${table}' with ${feature.buckets ?? 'no'} and ${first.count ?? 'no'} buckets; expected the same`,
      );
    }
    buckets.set(table, first);
  }
}

function forEachNumber(
  column: RawColumn,
  isTraining: (row: number) => boolean,
  visit: (value: number) => void,
): void {
  if (column.kind !== 'numeric') return;
  column.values.forEach((value, row) => {
    if (isTraining(row) && !Number.isNaN(value)) visit(value);
  });
}

function forEachCode(
  column: RawColumn,
  isTraining: (row: number) => boolean,
  visit: (code: number) => void,
): void {
  if (column.kind === 'numeric') return;
  const { codes } = column;
  if (column.kind === 'categorical') {
    for (let row = 0; row < codes.length; row++) {
      if (isTraining(row)) visit(codes[row] as number);
    }
    return;
  }
  const { offsets } = column;
  for (let row = 0; row + 1 < offsets.length; row++) {
    if (!isTraining(row)) continue;
    for (let i = offsets[row] as number; i < (offsets[row + 1] as number); i++) {
      visit(codes[i] as number);
    }
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

/** Mean and deviation of numbers that are seen twice: added first, then measured. */
class Moments {
  #first: number | undefined;
  #constant = true;
  #count = 0;
  #sum = 0;
  #squares = 0;

  add(value: number): void {
    this.#first ??= value;
    this.#constant &&= value === this.#first;
    this.#count++;
    this.#sum += value;
  }

  measure(value: number): void {
    this.#squares += (value - this.#sum / this.#count) ** 2;
  }

  /** Throws DataError for values that have none. */
  result(name: string): { mean: number; deviation: number } {
    // Also of no values. Rounding could leave a deviation that is not 0, and blow up what differs.
    if (this.#constant) return { mean: this.#first ?? 0, deviation: 1 };
    const mean = this.#sum / this.#count;
    const deviation = Math.sqrt(this.#squares / this.#count);
    if (Number.isFinite(mean) && Number.isFinite(deviation) && deviation > 0) {
      return { mean, deviation };
    }
    throw new DataError(
      `column '${name}': mean ${mean}, deviation ${deviation}; expected values whose squares a double can hold`,
    );
  }
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
