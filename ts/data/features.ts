import type { Feature, IdFeature, Schema } from './types.js';

/** A table of ids that one feature or several read. */
export interface IdTable {
  readonly name: string;
  readonly size: number;
  readonly hashed: boolean;
}

/** Whether a feature's values are ids. */
export function hasIds(feature: Feature): feature is IdFeature {
  return feature.kind !== 'numeric';
}

/** The name of a feature's table. */
export function tableOf({ table, name }: Pick<IdFeature, 'table' | 'name'>): string {
  return table ?? name;
}

/** The tables of a schema in the order of their first use: vocabularies stand in it too. */
export function idTables({ features }: Pick<Schema, 'features'>): readonly IdTable[] {
  const tables = new Map<string, IdTable>();
  for (const feature of features.filter(hasIds)) {
    const { size, hashed = false } = feature;
    const name = tableOf(feature);
    if (!tables.has(name)) tables.set(name, { name, size, hashed });
  }
  return [...tables.values()];
}

/** The features of one kind, in the order of the schema: columns of a split stand in it too. */
export function ofKind<Kind extends Feature['kind']>(
  features: readonly Feature[],
  kind: Kind,
): readonly Extract<Feature, { kind: Kind }>[] {
  return features.filter(
    (feature): feature is Extract<Feature, { kind: Kind }> => feature.kind === kind,
  );
}

const inputPrefixes = {
  categorical: 'feature',
  numeric: 'numeric',
  'multi-valued': 'list',
} as const;

/** The name of a feature's input in programs: its kind and its place among those of the kind. */
export function inputName(features: readonly Feature[], feature: Feature): string {
  const place = ofKind(features, feature.kind).indexOf(feature as never);
  return `${inputPrefixes[feature.kind]}:${place}`;
}
