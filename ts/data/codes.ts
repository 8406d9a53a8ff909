import { DataError } from '../errors.js';
import { shown } from '../options.js';
import { Numbering } from './numbering.js';
import { categoryExpected, textOf } from './raw.js';
import type { Table } from './table.js';

/** A column as indices into its distinct values, which stand in the order of first appearance. */
export interface Codes {
  readonly codes: Int32Array;
  readonly names: readonly string[];
}

/** An error about one value: where it stands, what it is, and what was expected. */
export function badValue(
  table: Table,
  column: string,
  row: number,
  value: unknown,
  expected: string,
): DataError {
  return new DataError(
    `${table.name}column '${column}', row ${table.number(row)}: ${quoted(value)}; expected ${expected}`,
  );
}

/** A raw value for messages: its text in quotes, if it has one. */
export function quoted(value: unknown): string {
  const own = textOf(value);
  return own === undefined ? shown(value) : `'${own}'`;
}

/** A value as text. Throws DataError for a missing one, and for what has no text. */
export function text(value: unknown, table: Table, column: string, row: number): string {
  if (value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value))) {
    throw new DataError(
      `${table.name}column '${column}', row ${table.number(row)}: ${value}; expected a value (drop or fill such rows before)`,
    );
  }
  const own = textOf(value);
  if (own === undefined) throw badValue(table, column, row, value, categoryExpected);
  return own;
}

/** Codes of a column's values. Throws DataError for a missing one. */
export function encode(table: Table, column: string): Codes {
  const values = table.column(column);
  const known = new Numbering();
  const codes = new Int32Array(values.length);
  for (let row = 0; row < values.length; row++) {
    codes[row] = known.add(text(values[row], table, column, row));
  }
  return { codes, names: known.values };
}

/** Rows by group, in order: `rows.subarray(offsets[g], offsets[g + 1])` are those of group g. */
export function groupRows(
  groups: Int32Array,
  count: number,
): { readonly rows: Int32Array; readonly offsets: Int32Array } {
  const offsets = new Int32Array(count + 1);
  for (const group of groups) offsets[group + 1] = (offsets[group + 1] as number) + 1;
  for (let g = 0; g < count; g++) {
    offsets[g + 1] = (offsets[g + 1] as number) + (offsets[g] as number);
  }
  const next = offsets.slice(0, count);
  const rows = new Int32Array(groups.length);
  groups.forEach((group, row) => {
    rows[next[group] as number] = row;
    next[group] = (next[group] as number) + 1;
  });
  return { rows, offsets };
}
