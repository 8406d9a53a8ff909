import { DataError } from '../errors.js';
import { suggest } from '../nearest.js';
import { groupRows } from './codes.js';
import type { Dataset } from './dataset.js';
import type { Prepared } from './prepare.js';
import { type Split, splitNames } from './types.js';
import type { Vocabulary } from './vocabulary.js';

/** A dataset's rows with the ids of another vocabulary. Throws DataError. */
export function reencode(data: Dataset, vocabulary: Vocabulary): Prepared {
  const { schema, values } = vocabulary;
  const domains = data.schema.domains.map((name) => vocabulary.domain(name));
  const names = data.schema.features.map((feature) => feature.name);
  const columns = schema.features.map(({ name }, f) => {
    const own = names.indexOf(name);
    if (own < 0) throw new DataError(`the data has no feature '${name}'${suggest(name, names)}`);
    const known = data.vocabulary.values[own] as readonly string[];
    const size = data.schema.features[own]?.size ?? 0;
    const target = values[f] as readonly string[];
    // Ids without raw values on both sides mean the same when there are as many.
    if (known.length === 0 && target.length === 0 && size === schema.features[f]?.size) {
      return { own, ids: Array.from({ length: size }, (_, id) => id) };
    }
    if (size > 1 && (known.length === 0 || target.length === 0)) {
      throw new DataError(
        `feature '${name}': ids without raw values; expected vocabularies on both sides`,
      );
    }
    return { own, ids: [0, ...known.map((value) => vocabulary.encode(f, value))] };
  });
  const splits = splitNames.map((name): Split => {
    const { rows, domainOffsets, ids, labels } = data.split(name);
    const domainOf = new Int32Array(rows);
    domains.forEach((domain, d) => {
      domainOf.fill(domain, domainOffsets[d], domainOffsets[d + 1]);
    });
    const grouped = groupRows(domainOf, schema.domains.length);
    return {
      rows,
      domainOffsets: grouped.offsets,
      ids: columns.map(({ own, ids: translated }) =>
        grouped.rows.map((row) => translated[(ids[own] as Int32Array)[row] as number] as number),
      ),
      labels: Float32Array.from(grouped.rows, (row) => labels[row] as number),
    };
  });
  return { schema, vocabularies: values, splits: splits as unknown as Prepared['splits'] };
}
