import { DataError, ShapeError } from '../errors.js';
import { shown } from '../options.js';

/** Throws DataError for scores that have no order. */
export function requireNumbers(scores: Float32Array, what: string): void {
  const row = scores.findIndex(Number.isNaN);
  if (row >= 0) throw new DataError(`${what}: row ${row} scores NaN; expected a number`);
}

/** Throws ShapeError for what is no array. */
export function requireArray(values: unknown, what: string, expected: string): void {
  if (Array.isArray(values)) return;
  throw new ShapeError(`${what}: ${shown(values)}; expected an array of ${expected}`);
}

/** Throws ShapeError for what is no array, and DataError for a value that is neither a finite number nor null. */
export function requireValues(values: readonly (number | null)[], what: string): void {
  requireArray(values, what, 'numbers');
  const at = values.findIndex((value) => value !== null && !Number.isFinite(value));
  if (at < 0) return;
  throw new DataError(
    `${what}: value ${at} is ${shown(values[at])}; expected a finite number, or null`,
  );
}

/** Throws ShapeError for another number of values than `expected`. */
export function requireLength(values: ArrayLike<unknown>, what: string, expected: number): void {
  if (values.length === expected) return;
  throw new ShapeError(`${what}: ${values.length} values; expected ${expected}`);
}
