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
interface Translation {
  readonly own: Feature;
  readonly target: Feature;
  /** By own id; the same ids where it is left out. */
  readonly ids?: readonly number[];
}

function translation(data: Dataset, vocabulary: Vocabulary, f: number): Translation {
  const target = vocabulary.schema.features[f] as Feature;
  const { name } = target;
  const names = data.schema.features.map((feature) => feature.name);
  const at = names.indexOf(name);
  if (at < 0) throw new DataError(`the data has no feature '${name}'${suggest(name, names)}`);
  const own = data.schema.features[at] as Feature;
  if (own.kind !== target.kind) {
    throw new DataError(`feature '${name}' is ${own.kind}; expected ${target.kind}`);
  }
  if (!hasIds(own) || !hasIds(target)) return { own, target };
  if (own.hashed || target.hashed) {
    const buckets = ({ hashed, size }: IdFeature) => (hashed ? size : 'no');
    if (buckets(own) === buckets(target)) return { own, target };
    throw new DataError(
      `feature '${name}' has ${buckets(own)} buckets; expected the model's ${buckets(target)}`,
    );
  }
  const known = data.vocabulary.valuesOf(at);
  const values = vocabulary.valuesOf(f);
  // Ids without raw values on both sides mean the same when there are as many.
  if (known.length === 0 && values.length === 0 && own.size === target.size) return { own, target };
  if (own.size > 1 && (known.length === 0 || values.length === 0)) {
    throw new DataError(
      `feature '${name}': ids without raw values; expected vocabularies on both sides`,
    );
  }
  return { own, target, ids: [0, ...known.map((value) => vocabulary.encode(f, value))] };
}

/** A dataset's rows with the ids of another vocabulary. Throws DataError. */
export function reencode(data: Dataset, vocabulary: Vocabulary): Prepared {
  const { schema, values } = vocabulary;
  const domains = data.schema.domains.map((name) => vocabulary.domain(name));
  const translations = schema.features.map((_, f) => translation(data, vocabulary, f));
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
      const pairs = split.numbers?.[place] as Float32Array;
      const { mean, deviation } = own as NumericFeature;
      const values = Float64Array.from(rows, (row) =>
        pairs[2 * row + 1] === 1 ? Number.NaN : mean + deviation * (pairs[2 * row] as number),
      );
      const same = mean === target.mean && deviation === target.deviation;
      numbers.push(
        same
          ? Float32Array.from(
              { length: pairs.length },
              (_, i) => pairs[2 * (rows[i >> 1] as number) + (i & 1)] as number,
            )
          : pairsOf(
              values,
              target,
              (row) => new DataError(`feature '${own.name}': ${values[row]} is too large`),
            ),
      );
    }
  }
  return presentColumns({ ids, numbers, lists });
}
