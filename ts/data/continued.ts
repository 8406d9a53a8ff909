import { z } from 'zod';
import { DataError } from '../errors.js';
import { suggest } from '../nearest.js';
import { count } from '../options.js';
import { atOnce } from '../turns.js';
import { hasIds, idTables, tableOf } from './features.js';
import { Numbering } from './numbering.js';
import type { Feature, IdFeature, MultiValuedFeature, Schema } from './types.js';
import type { TableUsage } from './usage.js';
import { Vocabulary } from './vocabulary.js';

/** Which ids lose their rows when a vocabulary continues. */
export const evictionOptions = z.strictObject({
  unseenFor: count.describe(
    'Data sets in a row, this one included, whose training rows have not had an id that is evicted',
  ),
  fewerThan: count
    .optional()
    .describe('Ids that training rows have had as often in all stay; by default none'),
});
export type EvictionOptions = z.input<typeof evictionOptions>;
type Eviction = z.output<typeof evictionOptions>;

/** New data as a vocabulary goes on with it. */
export interface NewData {
  readonly schema: Schema;
  /** By table (idTables): the raw values of ids from 1. */
  readonly values: readonly (readonly string[])[];
  /** By table and id: how often the training rows have it. */
  readonly counts: readonly ArrayLike<number>[];
}

/**
 * The vocabulary that goes on with new data: what it knows keeps its id, new values of the training
 * part get the ids of those that are evicted and then further ones. Ids stay without gaps, so where more go than
 * come the last ones move. Numbers stay standardised as before. Throws DataError where the data does not have
 * its features, and for ids without raw values.
 */
export function continuedVocabulary(
  before: Vocabulary,
  data: NewData,
  eviction?: Eviction,
): Vocabulary {
  const { schema, usage } = before;
  const generation = usage.generation + 1;
  const seen = seenValues(before, data);
  const tables = before.values.map((values, t) =>
    continuedTable(values, usage.tables[t] as TableUsage, seen[t], generation, eviction),
  );
  const names = idTables(schema).map(({ name }) => name);
  const features = schema.features.map((feature): Feature => {
    if (!hasIds(feature)) return feature;
    const t = names.indexOf(tableOf(feature));
    const size = seen[t] ? (tables[t] as ContinuedTable).values.length + 1 : feature.size;
    if (feature.kind === 'categorical') return { ...feature, size };
    const own = featureOf(data, feature.name) as MultiValuedFeature;
    return { ...feature, size, width: Math.max(feature.width, own.width ?? 0) };
  });
  const domains = [...new Set([...schema.domains, ...data.schema.domains])];
  return new Vocabulary(
    { ...schema, features, domains },
    tables.map(({ values }) => values),
    { generation, tables: tables.map(({ usage: own }) => own) },
  );
}

function featureOf({ schema: { features } }: NewData, name: string): Feature {
  const found = features.find((feature) => feature.name === name);
  if (found) return found;
  const names = features.map((feature) => feature.name);
  throw new DataError(`the data has no feature '${name}'${suggest(name, names)}`);
}

/** Values of training rows, and how often these have each. */
interface Seen {
  readonly values: readonly string[];
  readonly rows: readonly number[];
}

/** By table of the vocabulary; nothing for hashed ids. */
function seenValues(before: Vocabulary, data: NewData): (Seen | undefined)[] {
  const own = idTables(data.schema).map(({ name }) => name);
  return idTables(before.schema).map((table, t) => {
    if (table.hashed) return undefined;
    const seen = new Numbering();
    const rows: number[] = [];
    const added = new Set<number>();
    for (const { name } of before.schema.features.filter(
      (feature): feature is IdFeature => hasIds(feature) && tableOf(feature) === table.name,
    )) {
      const feature = featureOf(data, name);
      if (!hasIds(feature)) throw new DataError(`feature '${name}' is numeric; expected ids`);
      const place = own.indexOf(tableOf(feature));
      const values = data.values[place] as readonly string[];
      const without = (size: number, { length }: readonly string[]) => size !== length + 1;
      if (without(feature.size, values) || without(table.size, before.values[t] ?? [])) {
        throw new DataError(
          `feature '${name}' has ids without raw values; expected vocabularies on both sides`,
        );
      }
      // Features that share a table are counted together.
      if (added.has(place)) continue;
      added.add(place);
      values.forEach((value, i) => {
        const more = data.counts[place]?.[i + 1] ?? 0;
        if (more === 0) return;
        const number = seen.add(value);
        rows[number] = (rows[number] ?? 0) + more;
      });
    }
    return { values: seen.values, rows };
  });
}

interface ContinuedTable {
  readonly values: string[];
  readonly usage: TableUsage;
}

function continuedTable(
  before: readonly string[],
  usage: TableUsage,
  seen: Seen = { values: [], rows: [] },
  generation: number,
  eviction?: Eviction,
): ContinuedTable {
  const values = [...before];
  const [lastSeen, counts] = [[...usage.lastSeen], [...usage.count]];
  const known = atOnce(Numbering.over(before));
  /** Places among those seen. */
  const added: number[] = [];
  seen.values.forEach((value, i) => {
    const place = known.find(value);
    if (place < 0) {
      added.push(i);
    } else {
      lastSeen[place] = generation;
      counts[place] = (counts[place] as number) + (seen.rows[i] as number);
    }
  });
  const { unseenFor = Number.POSITIVE_INFINITY, fewerThan = Number.POSITIVE_INFINITY } =
    eviction ?? {};
  const free = [...before.keys()].filter(
    (i) => generation - (lastSeen[i] as number) >= unseenFor && (counts[i] as number) < fewerThan,
  );
  added.forEach((own, i) => {
    const place = free[i] ?? values.length;
    values[place] = seen.values[own] as string;
    lastSeen[place] = generation;
    counts[place] = seen.rows[own] as number;
  });
  closeGaps(free.slice(added.length), [values, lastSeen, counts]);
  return { values, usage: { lastSeen, count: counts } };
}

/** Fills gaps, which stand in ascending order, with what is last. */
function closeGaps(gaps: readonly number[], columns: readonly unknown[][]): void {
  const kept = (columns[0]?.length ?? 0) - gaps.length;
  const inner = gaps.filter((gap) => gap < kept);
  const isGap = new Uint8Array(columns[0]?.length ?? 0);
  for (const gap of gaps) isGap[gap] = 1;
  let last = kept;
  for (const gap of inner) {
    while (isGap[last] === 1) last++;
    for (const column of columns) column[gap] = column[last];
    last++;
  }
  for (const column of columns) column.length = kept;
}
