import { z } from 'zod';
import { DataError } from '../errors.js';
import { hasIds, idTables, ofKind, tableOf } from './features.js';
import { StreamedSplit } from './streamed.js';
import type { IdFeature, Schema, Split } from './types.js';

const whole = z.int().gte(0);
/** How training rows used the ids of a vocabulary, over all the data sets that it has gone through. */
export const storedUsage = z.object({
  /** Number of the data set, from 0. */
  generation: whole,
  /** By table (idTables) and id from 1; empty where ids have no raw values. */
  tables: z.array(
    z.object({
      /** The data set whose training rows had the id last. */
      lastSeen: z.array(whole),
      /** How often all of them had it. */
      count: z.array(whole),
    }),
  ),
});
export type Usage = Readonly<z.output<typeof storedUsage>>;
export type TableUsage = Usage['tables'][number];

/** Throws DataError where it is not that of these vocabularies. */
export function checkUsage(values: readonly (readonly string[])[], usage: Usage): void {
  const fits =
    usage.tables.length === values.length &&
    usage.tables.every(
      ({ lastSeen, count }, t) =>
        lastSeen.length === values[t]?.length &&
        count.length === lastSeen.length &&
        lastSeen.every((generation) => generation <= usage.generation),
    );
  if (!fits) throw new DataError('the usage of ids is not that of the vocabularies');
}

/** How often the rows of a part have each id, by table (idTables). */
export function countIds(schema: Schema, split: Split): readonly Float64Array[] {
  if (split instanceof StreamedSplit) return split.idCounts;
  const tables = idTables(schema);
  const counts = tables.map(({ size }) => new Float64Array(size));
  const add = (feature: IdFeature, ids: Int32Array): void => {
    const own = counts[tables.findIndex(({ name }) => name === tableOf(feature))] as Float64Array;
    for (const id of ids) own[id] = (own[id] as number) + 1;
  };
  const { features } = schema;
  ofKind(features, 'categorical').forEach((feature, i) => {
    add(feature, split.ids[i] as Int32Array);
  });
  ofKind(features, 'multi-valued').forEach((feature, i) => {
    add(feature, split.lists?.[i]?.ids as Int32Array);
  });
  return counts;
}

/** Of the first data set of a vocabulary. */
export function firstUsage(
  schema: Schema,
  values: readonly (readonly string[])[],
  train: Split,
): Usage {
  // Ids without raw values have no use for it.
  const known = schema.features.some(hasIds) && values.some(({ length }) => length > 0);
  const counts = known ? countIds(schema, train) : [];
  const tables = values.map(({ length }, t) => ({
    lastSeen: new Array<number>(length).fill(0),
    count: Array.from(counts[t]?.subarray(1, length + 1) ?? []),
  }));
  return { generation: 0, tables };
}
