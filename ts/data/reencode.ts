import { DataError } from '../errors.js';
import { suggest } from '../nearest.js';
import { groupRows } from './codes.js';
import { pairsOf, takeLists } from './columns.js';
import type { Dataset } from './dataset.js';
import { hasIds, ofKind } from './features.js';
import { type Prepared, presentColumns } from './prepare.js';
import {
  type Feature,
  type IdFeature,
  type IdLists,
  type NumericFeature,
  type Schema,
  type Split,
  splitNames,
} from './types.js';
import type { Vocabulary } from './vocabulary.js';

/** How a feature's own column becomes that of another schema. */
export interface Translation {
  /** The place of the column's feature among the data's own. */
  readonly at: number;
  readonly own: Feature;
  readonly target: Feature;
  /** By own id; the same ids where it is left out. */
  readonly ids?: Int32Array;
}

/** How rows that have the ids of `from` get those of another vocabulary, by feature of that. Throws DataError. */
export function translationsOf(from: Vocabulary, to: Vocabulary): readonly Translation[] {
  return to.schema.features.map((_, f) => translation(from, to, f));
}

function translation(from: Vocabulary, vocabulary: Vocabulary, f: number): Translation {
  const target = vocabulary.schema.features[f] as Feature;
  const { name } = target;
  const names = from.schema.features.map((feature) => feature.name);
  const at = names.indexOf(name);
  if (at < 0) throw new DataError(`the data has no feature '${name}'${suggest(name, names)}`);
  const own = from.schema.features[at] as Feature;
  if (own.kind !== target.kind) {
    throw new DataError(`feature '${name}' is ${own.kind}; expected ${target.kind}`);
  }
  const same = { at, own, target };
  if (!hasIds(own) || !hasIds(target)) return same;
  if (own.hashed || target.hashed) {
    const buckets = ({ hashed, size }: IdFeature) => (hashed ? size : 'no');
    if (buckets(own) === buckets(target)) return same;
    throw new DataError(
      `feature '${name}' has ${buckets(own)} buckets; expected the model's ${buckets(target)}`,
    );
  }
  const known = from.valuesOf(at);
  const values = vocabulary.valuesOf(f);
  // Ids without raw values on both sides mean the same when there are as many.
  if (known.length === 0 && values.length === 0 && own.size === target.size) return same;
  if (own.size > 1 && (known.length === 0 || values.length === 0)) {
    throw new DataError(
      `feature '${name}': ids without raw values; expected vocabularies on both sides`,
    );
  }
  const ids = new Int32Array(1 + known.length);
  known.forEach((value, i) => {
    ids[i + 1] = vocabulary.encode(f, value);
  });
  return { ...same, ids };
}

/** A dataset's rows with the ids of another vocabulary. Throws DataError. */
export function reencode(data: Dataset, vocabulary: Vocabulary): Prepared {
  const { schema, values } = vocabulary;
  const domains = data.schema.domains.map((name) => vocabulary.domain(name));
  const translations = translationsOf(data.vocabulary, vocabulary);
  const splits = splitNames.map((name): Split => {
    const split = data.split(name);
    const { rows, domainOffsets, labels, weights } = split;
    const domainOf = new Int32Array(rows);
    domains.forEach((domain, d) => {
      domainOf.fill(domain, domainOffsets[d], domainOffsets[d + 1]);
    });
    const grouped = groupRows(domainOf, schema.domains.length);
    return {
      rows,
      domainOffsets: grouped.offsets,
      ...translated(data.schema, split, translations, grouped.rows),
      labels: Float32Array.from(grouped.rows, (row) => labels[row] as number),
      ...(weights && {
        weights: Float32Array.from(grouped.rows, (row) => weights[row] as number),
      }),
    };
  });
  return { schema, vocabularies: values, splits: splits as unknown as Prepared['splits'] };
}

/** The columns of the rows `rows`, in their order. */
function translated(
  { features }: Schema,
  split: Split,
  translations: readonly Translation[],
  rows: Int32Array,
): Pick<Split, 'ids' | 'numbers' | 'lists'> {
  const ids: Int32Array[] = [];
  const numbers: Float32Array[] = [];
  const lists: IdLists[] = [];
  for (const { own, target, ids: idOf } of translations) {
    const place = ofKind(features, own.kind).indexOf(own as never);
    const translate = (id: number): number => (idOf ? (idOf[id] as number) : id);
    if (target.kind === 'categorical') {
      const column = split.ids[place] as Int32Array;
      ids.push(rows.map((row) => translate(column[row] as number)));
    } else if (target.kind === 'multi-valued') {
      lists.push(takeLists(split.lists?.[place] as IdLists, rows, translate, target.width));
    } else {
      const all = split.numbers?.[place] as Float32Array;
      const pairs = Float32Array.from(
        { length: all.length },
        (_, i) => all[2 * (rows[i >> 1] as number) + (i & 1)] as number,
      );
      numbers.push(restandardised(pairs, own as NumericFeature, target));
    }
  }
  return presentColumns({ ids, numbers, lists });
}

/** Numbers by the mean and deviation of `own` (see pairsOf) as those by the target's. Throws DataError. */
export function restandardised(
  pairs: Float32Array,
  { name, mean, deviation }: NumericFeature,
  target: NumericFeature,
): Float32Array {
  if (mean === target.mean && deviation === target.deviation) return pairs;
  const values = Float64Array.from({ length: pairs.length / 2 }, (_, row) =>
    pairs[2 * row + 1] === 1 ? Number.NaN : mean + deviation * (pairs[2 * row] as number),
  );
  return pairsOf(
    values,
    target,
    (row) => new DataError(`feature '${name}': ${values[row]} is too large`),
  );
}
