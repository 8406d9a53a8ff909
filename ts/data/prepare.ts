import { ConfigError, DataError } from '../errors.js';
import { encode, groupRows } from './codes.js';
import { FeatureFit, pairsOf, readColumn, takeLists, takeRows } from './columns.js';
import { labelsOf, weightsOf } from './labels.js';
import { type CodedRows, withNegatives } from './negatives.js';
import type { ResolvedRoles } from './options.js';
import { partsOf } from './parts.js';
import { Random } from './random.js';
import { subsetOf, type Table } from './table.js';
import {
  type Feature,
  type IdLists,
  type MultiValuedFeature,
  type NumericFeature,
  type Schema,
  type Split,
  splitNames,
} from './types.js';
import type { Usage } from './usage.js';

/** A dataset's contents. */
export interface Prepared {
  readonly schema: Schema;
  readonly vocabularies: readonly (readonly string[])[];
  readonly splits: readonly [Split, Split, Split];
  /** Of vocabularies that are older than the rows. */
  readonly usage?: Usage | undefined;
}

/**
 * Turns raw rows into ids by domain and part. Vocabularies come from the training part, other
 * values become id 0. `excluded` holds pairs that are no negatives. Throws DataError, ConfigError.
 */
export function prepare(table: Table, options: ResolvedRoles, excluded?: Table): Prepared {
  requireLabels(options);
  const { negatives, features } = options;
  const random = new Random(options.seed);
  const { rows, domains } = codedRows(table, options, random);
  const all = negatives
    ? withNegatives(rows, domains.length, negatives, features, excluded, random)
    : rows;
  return withIds(all, domains, options);
}

/** Throws ConfigError for rows without labels, with those of two kinds, or with labels that a model would see. */
export function requireLabels({ label, negatives, features }: ResolvedRoles): void {
  if ((label === undefined) === (negatives === undefined)) {
    throw new ConfigError('data: expected either label or negatives');
  }
  if (features.every(({ name }) => name !== label)) return;
  throw new ConfigError(
    `data.features: '${label}' is the label; expected columns that are known when rows are scored`,
  );
}

/** Domains with enough rows, by name. Throws DataError where there is none. */
export function domainsOf(
  names: readonly string[],
  counts: ArrayLike<number>,
  column: string,
  minRows: number,
): readonly string[] {
  const domains = names.filter((_, code) => (counts[code] as number) >= minRows).sort();
  if (domains.length > 0) return domains;
  throw new DataError(
    `column '${column}': no domain of ${names.length} has ${minRows} rows; expected one at least`,
  );
}

function codedRows(
  table: Table,
  { domain: column, label, weight, features, split, minRows }: ResolvedRoles,
  random: Random,
): { rows: CodedRows; domains: readonly string[] } {
  const found = encode(table, column);
  const counts = new Int32Array(found.names.length);
  for (const code of found.codes) counts[code] = (counts[code] as number) + 1;
  const domains = domainsOf(found.names, counts, column, minRows);
  const indexOf = new Map(domains.map((name, d) => [name, d]));
  const renamed = found.names.map((name) => indexOf.get(name) ?? -1);
  const kept: number[] = [];
  found.codes.forEach((code, row) => {
    if ((renamed[code] as number) >= 0) kept.push(row);
  });
  const own = subsetOf(table, kept);
  const domain = Int32Array.from(kept, (row) => renamed[found.codes[row] as number] as number);
  return {
    domains,
    rows: {
      domain,
      part: partsOf(split, own, domain, domains.length, random),
      label: label === undefined ? new Float32Array(kept.length).fill(1) : labelsOf(own, label),
      weight: weight === undefined ? undefined : weightsOf(own, weight),
      features: features.map((feature) => readColumn(own, feature)),
    },
  };
}

function withIds(rows: CodedRows, domains: readonly string[], options: ResolvedRoles): Prepared {
  const fit = new FeatureFit(options.features);
  const isTraining = (row: number): boolean => rows.part[row] === 0;
  fit.add(rows.features, isTraining);
  fit.measure(rows.features, isTraining);
  const { features, vocabularies, idsOf } = fit.fitted();
  const ids = rows.features.map((column, f) =>
    column.kind === 'numeric' ? new Int32Array() : idsOf(f, column.names),
  );
  const byDomain = groupRows(rows.domain, domains.length).rows;
  const splits = splitNames.map((_, part): Split => {
    const own = byDomain.filter((row) => rows.part[row] === part);
    const columns: { ids: Int32Array[]; numbers: Float32Array[]; lists: IdLists[] } = {
      ids: [],
      numbers: [],
      lists: [],
    };
    rows.features.forEach((column, f) => {
      const feature = features[f] as Feature;
      const idOf = (code: number): number => ids[f]?.[code] as number;
      if (column.kind === 'categorical') {
        columns.ids.push(own.map((row) => idOf(column.codes[row] as number)));
      } else if (column.kind === 'multi-valued') {
        const { width } = feature as MultiValuedFeature;
        const lists = { offsets: column.offsets, ids: column.codes };
        columns.lists.push(takeLists(lists, own, idOf, width));
      } else {
        const { values } = takeRows(column, own);
        columns.numbers.push(
          pairsOf(values, feature as NumericFeature, (row) => tooLarge(feature, values[row])),
        );
      }
    });
    const { weight } = rows;
    return {
      rows: own.length,
      domainOffsets: groupRows(
        own.map((row) => rows.domain[row] as number),
        domains.length,
      ).offsets,
      ...presentColumns(columns),
      labels: Float32Array.from(own, (row) => rows.label[row] as number),
      ...(weight && { weights: Float32Array.from(own, (row) => weight[row] as number) }),
    };
  });
  return {
    schema: schemaOf(options, features, domains),
    vocabularies,
    splits: splits as unknown as Prepared['splits'],
  };
}

export function schemaOf(
  { label = 'label', domain }: ResolvedRoles,
  features: readonly Feature[],
  domains: readonly string[],
): Schema {
  return { label, domain, features, domains };
}

/** The columns of a split without kinds that it has none of. */
export function presentColumns({
  ids,
  numbers,
  lists,
}: {
  readonly ids: readonly Int32Array[];
  readonly numbers: readonly Float32Array[];
  readonly lists: readonly IdLists[];
}): Pick<Split, 'ids' | 'numbers' | 'lists'> {
  return { ids, ...(numbers.length > 0 && { numbers }), ...(lists.length > 0 && { lists }) };
}

export function tooLarge({ name }: Feature, value: number | undefined): DataError {
  return new DataError(
    `column '${name}': ${value}; expected a number that stands within float32's range of the training part's`,
  );
}
