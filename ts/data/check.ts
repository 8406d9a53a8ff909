import { DataError } from '../errors.js';
import { hasIds, idTables, ofKind, tableOf } from './features.js';
import { hasWeights } from './streamed.js';
import {
  type Feature,
  type IdFeature,
  type Schema,
  type Split,
  type SplitName,
  splitNames,
} from './types.js';

/** Throws DataError where the rows of a part do not fit the schema: native kernels trust them. */
export function checkSplit(schema: Schema, split: Split, name: SplitName): void {
  checkOffsets(schema, split, name);
  checkColumns(schema, split, name);
}

function failing(name: SplitName): Fail {
  return (message) => {
    throw new DataError(`${name}: ${message}`);
  };
}

/** Throws DataError where a part's rows are not those of the schema's domains. */
export function checkOffsets(
  { domains }: Schema,
  { domainOffsets, rows }: Pick<Split, 'domainOffsets' | 'rows'>,
  name: SplitName,
): void {
  const fail: Fail = failing(name);
  // Native code reads the memory of these as it is.
  if (!(domainOffsets instanceof Int32Array)) fail('domainOffsets; expected an Int32Array');
  if (domainOffsets.length !== domains.length + 1 || domainOffsets.at(-1) !== rows) {
    fail(
      `${domainOffsets.length - 1} domains up to row ${domainOffsets.at(-1)}; expected ${domains.length} over ${rows} rows`,
    );
  }
  if (domainOffsets[0] !== 0) {
    fail(`domain '${domains[0]}' begins at row ${domainOffsets[0]}; expected 0`);
  }
  domains.forEach((domain, d) => {
    const count = (domainOffsets[d + 1] as number) - (domainOffsets[d] as number);
    if (count < 0) fail(`domain '${domain}' has ${count} rows; expected ascending offsets`);
  });
}

/** Throws DataError where columns do not fit the schema. */
export function checkColumns(
  { features }: Schema,
  split: Omit<Split, 'domainOffsets'>,
  name: SplitName,
): void {
  const fail: Fail = failing(name);
  const { ids, labels, rows } = split;
  if (!(labels instanceof Float32Array)) fail('labels; expected a Float32Array');
  if (!Array.isArray(ids) || !ids.every((column) => column instanceof Int32Array))
    fail('ids; expected Int32Arrays');
  const counted = (what: string, own: number, kind: Feature['kind']): void => {
    const expected = ofKind(features, kind).length;
    if (own !== expected) fail(`${own} ${what}; expected ${expected} for the ${kind} features`);
  };
  counted('columns of ids', ids.length, 'categorical');
  counted('columns of numbers', split.numbers?.length ?? 0, 'numeric');
  counted('columns of lists', split.lists?.length ?? 0, 'multi-valued');
  if (labels.length !== rows) fail(`${labels.length} labels; expected ${rows}`);
  labels.forEach((label, row) => {
    if (label !== 0 && label !== 1) fail(`row ${row}: label ${label}; expected 0 or 1`);
  });
  if (split.weights) checkWeights(split.weights, rows, fail);
  ofKind(features, 'categorical').forEach((feature, i) => {
    const column = ids[i] as Int32Array;
    if (column.length !== rows) {
      fail(`'${feature.name}' has ${column.length} rows; expected ${rows}`);
    }
    column.forEach((id, row) => {
      requireId(feature, id, row, fail);
    });
  });
  ofKind(features, 'numeric').forEach(({ name: own }, i) => {
    const column = split.numbers?.[i];
    if (!(column instanceof Float32Array) || column.length !== 2 * rows) {
      fail(`'${own}'; expected a Float32Array of ${rows} values and missing flags`);
      return;
    }
    const bad = column.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) fail(`'${own}', row ${bad >> 1}: ${column[bad]}; expected a finite number`);
  });
  ofKind(features, 'multi-valued').forEach((feature, i) => {
    const list = split.lists?.[i];
    if (!(list?.offsets instanceof Int32Array) || !(list.ids instanceof Int32Array)) {
      fail(`'${feature.name}'; expected offsets and ids, both Int32Arrays`);
      return;
    }
    const { offsets, ids: own } = list;
    const ascending = offsets.every((offset, r) => offset >= (r === 0 ? 0 : (offsets[r - 1] ?? 0)));
    if (
      offsets.length !== rows + 1 ||
      offsets[0] !== 0 ||
      offsets[rows] !== own.length ||
      !ascending
    ) {
      fail(`'${feature.name}'; expected ${rows + 1} ascending offsets from 0 to ${own.length}`);
    }
    for (let row = 0; row < rows; row++) {
      for (const id of own.subarray(offsets[row], offsets[row + 1])) {
        requireId(feature, id, row, fail);
      }
    }
  });
}

type Fail = (message: string) => never;

function requireId({ name, size }: IdFeature, id: number, row: number, fail: Fail): void {
  if (id >= 0 && id < size) return;
  fail(`'${name}', row ${row}: id ${id}; expected 0 to ${size - 1}`);
}

function checkWeights(weights: Float32Array, rows: number, fail: Fail): void {
  if (!(weights instanceof Float32Array) || weights.length !== rows) {
    fail(`${weights.length} weights; expected a Float32Array of ${rows}`);
  }
  const bad = weights.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
  if (bad >= 0) fail(`row ${bad}: weight ${weights[bad]}; expected a number from 0`);
}

/** Throws DataError for a domain without training rows: a strategy could not pass over it. */
export function requireTrainingRows(
  schema: Schema,
  { domainOffsets }: Pick<Split, 'domainOffsets'>,
): void {
  schema.domains.forEach((domain, d) => {
    if (domainOffsets[d] !== domainOffsets[d + 1]) return;
    throw new DataError(
      `train: domain '${domain}' has no rows; expected one at least, or the domain left out (minRows)`,
    );
  });
}

/** Throws DataError where some parts have weights and others have none. */
export function requireWeights(splits: readonly Split[]): void {
  const without = splits.findIndex((split) => !hasWeights(split));
  if (without < 0 || !splits.some(hasWeights)) return;
  throw new DataError(`${splitNames[without]}: no weights; expected them in every part or in none`);
}

/** Throws DataError for vocabularies that name more ids than there are, and for names used twice. */
export function checkVocabularies(
  { domains, features }: Schema,
  vocabularies: readonly (readonly string[])[],
): void {
  const seen = new Set<string>();
  for (const domain of domains) {
    if (seen.has(domain)) throw new DataError(`two domains are named '${domain}'; expected one`);
    seen.add(domain);
  }
  checkSharing(features);
  const tables = idTables({ features });
  if (vocabularies?.length !== tables.length) {
    throw new DataError(
      `${vocabularies?.length ?? 'no'} vocabularies; expected one for each of ${tables.length} tables of ids`,
    );
  }
  tables.forEach(({ name, size, hashed }, t) => {
    const known = vocabularies[t] as readonly string[];
    // Ids without a raw value are allowed: data may come without any, and hashed ids have none.
    if (known.length === 0 || (!hashed && known.length === size - 1)) return;
    throw new DataError(
      `the vocabulary of '${name}' has ${known.length} values; expected ${hashed ? '' : `${size - 1}, or `}none`,
    );
  });
}

/** Throws DataError for features that share a table and do not have the same ids. */
function checkSharing(features: readonly Feature[]): void {
  const first = new Map<string, IdFeature>();
  for (const feature of features.filter(hasIds)) {
    const other = first.get(tableOf(feature)) ?? feature;
    first.set(tableOf(feature), other);
    if (other.size === feature.size && other.hashed === feature.hashed) continue;
    throw new DataError(
      `'${feature.name}' and '${other.name}' share table '${tableOf(feature)}' with ${feature.size} and ${other.size} ids; expected the same`,
    );
  }
}
