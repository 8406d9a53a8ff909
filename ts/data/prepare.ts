import { ConfigError, DataError } from '../errors.js';
import { type Codes, encode, groupRows } from './codes.js';
import { labelsOf } from './labels.js';
import { type CodedRows, withNegatives } from './negatives.js';
import type { ResolvedRoles } from './options.js';
import { partsOf } from './parts.js';
import { Random } from './random.js';
import type { Table } from './table.js';
import { type Schema, type Split, splitNames } from './types.js';

/** A dataset's contents. */
export interface Prepared {
  readonly schema: Schema;
  readonly vocabularies: readonly (readonly string[])[];
  readonly splits: readonly [Split, Split, Split];
}

/**
 * Turns raw rows into ids by domain and part. Vocabularies come from the training part, other
 * values become id 0. `excluded` holds pairs that are no negatives. Throws DataError, ConfigError.
 */
export function prepare(table: Table, options: ResolvedRoles, excluded?: Table): Prepared {
  const { label, negatives, features } = options;
  if ((label === undefined) === (negatives === undefined)) {
    throw new ConfigError('data: expected either label or negatives');
  }
  const random = new Random(options.seed);
  const { rows, domains } = codedRows(table, options, random);
  const all = negatives
    ? withNegatives(rows, domains.length, negatives, features, excluded, random)
    : rows;
  return withIds(all, domains, options);
}

function codedRows(
  table: Table,
  { domain: column, label, features, split, minRows }: ResolvedRoles,
  random: Random,
): { rows: CodedRows; domains: readonly string[] } {
  const found = encode(table, column);
  const counts = new Int32Array(found.names.length);
  for (const code of found.codes) counts[code] = (counts[code] as number) + 1;
  const domains = found.names.filter((_, code) => (counts[code] as number) >= minRows).sort();
  if (domains.length === 0) {
    throw new DataError(
      `column '${column}': no domain of ${found.names.length} has ${minRows} rows; expected one at least`,
    );
  }
  const indexOf = new Map(domains.map((name, d) => [name, d]));
  const renamed = found.names.map((name) => indexOf.get(name) ?? -1);
  const kept: number[] = [];
  found.codes.forEach((code, row) => {
    if ((renamed[code] as number) >= 0) kept.push(row);
  });
  const own: Table = {
    rows: kept.length,
    name: table.name,
    number: (row) => table.number(kept[row] as number),
    column(name) {
      const values = table.column(name);
      return kept.map((row) => values[row]);
    },
  };
  const domain = Int32Array.from(kept, (row) => renamed[found.codes[row] as number] as number);
  return {
    domains,
    rows: {
      domain,
      part: partsOf(split, own, domain, domains.length, random),
      label: label === undefined ? new Float32Array(kept.length).fill(1) : labelsOf(own, label),
      features: features.map((name) => encode(own, name)),
    },
  };
}

function withIds(rows: CodedRows, domains: readonly string[], options: ResolvedRoles): Prepared {
  const vocabularies: string[][] = [];
  const idsOf = rows.features.map(({ codes, names }) => {
    const ids = new Int32Array(names.length);
    const vocabulary: string[] = [];
    codes.forEach((code, row) => {
      if (rows.part[row] === 0 && ids[code] === 0) {
        ids[code] = vocabulary.push(names[code] as string);
      }
    });
    vocabularies.push(vocabulary);
    return ids;
  });
  const byDomain = groupRows(rows.domain, domains.length).rows;
  const splits = splitNames.map((_, part): Split => {
    const own = byDomain.filter((row) => rows.part[row] === part);
    return {
      rows: own.length,
      domainOffsets: groupRows(
        own.map((row) => rows.domain[row] as number),
        domains.length,
      ).offsets,
      ids: rows.features.map(({ codes }: Codes, i) =>
        own.map((row) => (idsOf[i] as Int32Array)[codes[row] as number] as number),
      ),
      labels: Float32Array.from(own, (row) => rows.label[row] as number),
    };
  });
  return {
    schema: {
      label: options.label ?? 'label',
      domain: options.domain,
      features: options.features.map((name, i) => ({
        name,
        kind: 'categorical',
        size: (vocabularies[i] as string[]).length + 1,
      })),
      domains,
    },
    vocabularies,
    splits: splits as unknown as Prepared['splits'],
  };
}
