import type { Fitted } from '../columns.js';
import type { NewData } from '../continued.js';
import { type Translation, translationsOf } from '../reencode.js';
import type { Schema } from '../types.js';
import { Vocabulary } from '../vocabulary.js';

/** Another vocabulary than the rows' own, whose ids they get. */
export interface Target {
  vocabularyOf(own: NewData): Vocabulary;
  /** Values that a row of a multi-valued feature has at most there. */
  widthOf(feature: string): number;
}

/** What the rows become. */
export interface Output {
  readonly vocabulary: Vocabulary;
  /** By feature of the vocabulary. */
  readonly columns: readonly Translation[];
  /** Of each domain of the rows its index in the vocabulary. */
  readonly domains: Int32Array;
}

/** Throws DataError where the target's features are not those of the rows. */
export function outputOf(
  schema: Schema,
  { vocabularies, counts }: Fitted,
  target?: Target,
): Output {
  // Rows tell how they use their own ids when they are opened.
  const own = new Vocabulary(schema, vocabularies, { generation: 0, tables: [] });
  if (!target) {
    const columns = schema.features.map((feature, at) => ({ at, own: feature, target: feature }));
    return { vocabulary: own, columns, domains: Int32Array.from(schema.domains.keys()) };
  }
  const vocabulary = target.vocabularyOf({ schema, values: vocabularies, counts });
  const domains = Int32Array.from(schema.domains, (name) => vocabulary.domain(name));
  return { vocabulary, columns: translationsOf(own, vocabulary), domains };
}
