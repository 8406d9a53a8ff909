import { createHash } from 'node:crypto';
import type { Dataset } from '../data/dataset.js';
import { splitNames } from '../data/types.js';

/** Digest of a dataset's rows: the same however they are stored. */
export function digestOf(data: Dataset): string {
  const hash = createHash('sha256');
  const { domains, features } = data.schema;
  hash.update(
    JSON.stringify({ domains, features: features.map(({ name, kind }) => [name, kind]) }),
  );
  for (const name of splitNames) {
    const { domainOffsets, ids, numbers = [], lists = [], labels, weights } = data.split(name);
    const columns = [domainOffsets, labels, ...ids, ...numbers];
    for (const list of lists) columns.push(list.offsets, list.ids);
    if (weights) columns.push(weights);
    for (const column of columns) hash.update(column);
  }
  return hash.digest('hex');
}
