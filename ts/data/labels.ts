import { badValue, text } from './codes.js';
import { numberOf } from './raw.js';
import type { Table } from './table.js';

/** A column of 0 and 1, or of false and true. Throws DataError for anything else. */
export function labelsOf(table: Table, column: string): Float32Array {
  return Float32Array.from(table.column(column) as ArrayLike<never>, (value: unknown, row) => {
    const own = text(value, table, column, row).trim();
    if (own === 'true') return 1;
    if (own === 'false') return 0;
    const number = own === '' ? Number.NaN : Number(own);
    if (number === 0 || number === 1) return number;
    throw badValue(table, column, row, value, '0 or 1');
  });
}

/** A column of weights. Throws DataError for anything but finite numbers from 0. */
export function weightsOf(table: Table, column: string): Float32Array {
  return Float32Array.from(table.column(column) as ArrayLike<never>, (value: unknown, row) => {
    const weight = Math.fround(numberOf(value) ?? Number.NaN);
    if (weight >= 0 && weight < Number.POSITIVE_INFINITY) return weight;
    throw badValue(table, column, row, value, 'a weight from 0');
  });
}
