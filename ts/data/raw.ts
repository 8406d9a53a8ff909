/** What raw values of files, arrays and rows mean. */

const encoder = new TextEncoder();

/**
 * The bucket of a raw value: FNV-1a of its UTF-8 bytes, mixed by MurmurHash3's finalizer so that
 * every bit counts. The same everywhere and for ever, as run folders rely on it.
 */
export function bucketOf(value: string, buckets: number): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(value)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % buckets;
}

/** Whether a value is missing. */
export function isMissing(value: unknown): boolean {
  return value === null || value === undefined || Number.isNaN(value);
}

/** A category as text; undefined for what is no single value: objects without a text of their own, lists, symbols. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'symbol' || typeof value === 'function' || Array.isArray(value)) {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return String(value);
  const own = (value as { readonly toString?: unknown }).toString;
  return typeof own === 'function' && own !== Object.prototype.toString ? String(value) : undefined;
}

/** A value as a number, NaN where it is missing; undefined for one that is no finite number. */
export function numberOf(value: unknown): number | undefined {
  if (isMissing(value)) return Number.NaN;
  const text = textOf(value)?.trim();
  if (text === undefined) return undefined;
  if (text === '' || text.toLowerCase() === 'nan') return Number.NaN;
  const number = typeof value === 'boolean' ? Number(value) : Number(text);
  return Number.isFinite(number) ? number : undefined;
}

/** The number that stands for a value in a model; undefined where float32 cannot hold it. */
export function standardised(
  number: number,
  { mean, deviation }: { readonly mean: number; readonly deviation: number },
): number | undefined {
  const value = Math.fround((number - mean) / deviation);
  return Number.isFinite(value) ? value : undefined;
}

/**
 * The values of a list: an array (or what DuckDB has for one), text with a separator, or a JSON array
 * as text. Missing ones and empty text are empty lists, and empty pieces of text no values. Undefined
 * for anything else and for lists with missing values.
 */
export function listOf(value: unknown, separator: string | undefined): string[] | undefined {
  if (isMissing(value) || value === '') return [];
  if (typeof value === 'string') {
    if (separator !== undefined) return value.split(separator).filter((piece) => piece !== '');
    if (!value.trimStart().startsWith('[')) return undefined;
    try {
      return listOf(JSON.parse(value), undefined);
    } catch {
      return undefined;
    }
  }
  const own = value as { readonly items?: unknown };
  const items = Array.isArray(own.items) ? own.items : value;
  if (!Array.isArray(items) && !ArrayBuffer.isView(items)) return undefined;
  const values = Array.from(items as ArrayLike<unknown>);
  const texts = values.map((own) => (isMissing(own) ? undefined : textOf(own)));
  return texts.every((own) => own !== undefined) ? texts : undefined;
}

export const categoryExpected = 'text, a number or a boolean';
export const numberExpected = 'a finite number, or nothing where it is missing';
export function listExpected(separator: string | undefined): string {
  return separator === undefined
    ? 'a list, a JSON array, or text with a separator (option separator)'
    : `a list, or text with '${separator}' between its values`;
}
