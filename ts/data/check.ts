import { DataError } from '../errors.js';
import type { Schema, Split, SplitName } from './types.js';

/** Throws DataError where the rows of a part do not fit the schema: native kernels trust them. */
export function checkSplit(schema: Schema, split: Split, name: SplitName): void {
  const fail = (message: string): never => {
    throw new DataError(`${name}: ${message}`);
  };
  const { domainOffsets, ids, labels, rows } = split;
  const { domains, features } = schema;
  // Native code reads the memory of these as it is.
  if (!(domainOffsets instanceof Int32Array)) fail('domainOffsets; expected an Int32Array');
  if (!(labels instanceof Float32Array)) fail('labels; expected a Float32Array');
  if (!ids.every((column) => column instanceof Int32Array)) fail('ids; expected Int32Arrays');
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
  if (ids.length !== features.length || labels.length !== rows) {
    fail(
      `${ids.length} features and ${labels.length} labels; expected ${features.length} and ${rows}`,
    );
  }
  labels.forEach((label, row) => {
    if (label !== 0 && label !== 1) fail(`row ${row}: label ${label}; expected 0 or 1`);
  });
  features.forEach((feature, i) => {
    const column = ids[i] as Int32Array;
    if (column.length !== rows) {
      fail(`'${feature.name}' has ${column.length} rows; expected ${rows}`);
    }
    column.forEach((id, row) => {
      if (id < 0 || id >= feature.size) {
        fail(`'${feature.name}', row ${row}: id ${id}; expected 0 to ${feature.size - 1}`);
      }
    });
  });
}

/** Throws DataError for a domain without training rows: a strategy could not pass over it. */
export function requireTrainingRows(schema: Schema, { domainOffsets }: Split): void {
  schema.domains.forEach((domain, d) => {
    if (domainOffsets[d] !== domainOffsets[d + 1]) return;
    throw new DataError(
      `train: domain '${domain}' has no rows; expected one at least, or the domain left out (minRows)`,
    );
  });
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
  if (vocabularies?.length !== features.length) {
    throw new DataError(
      `${vocabularies?.length ?? 'no'} vocabularies; expected one for each of ${features.length} features`,
    );
  }
  features.forEach(({ name, size }, f) => {
    const known = vocabularies[f] as readonly string[];
    // Ids without a raw value are allowed: data may come without any.
    if (known.length === 0 || known.length === size - 1) return;
    throw new DataError(
      `the vocabulary of '${name}' has ${known.length} values; expected ${size - 1}, or none`,
    );
  });
}
