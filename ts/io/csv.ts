import { isMissing, listOf } from '../data/raw.js';

/** A value as a cell of CSV: nothing for a missing one, a JSON array for a list. */
export function cell(value: unknown): string {
  const list = typeof value === 'object' ? listOf(value, undefined) : undefined;
  const text = isMissing(value) ? '' : list ? JSON.stringify(list) : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
