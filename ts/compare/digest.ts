import { createHash } from 'node:crypto';
import type { Dataset } from '../data/dataset.js';
import { StreamedSplit, storedColumns } from '../data/streamed.js';
import { type Split, splitNames } from '../data/types.js';

/** Digest of a dataset's rows: the same however they are stored, but for the windows of those on disk. */
export async function digestOf(data: Dataset): Promise<string> {
  const hash = createHash('sha256');
  const { domains, features } = data.schema;
  hash.update(
    JSON.stringify({ domains, features: features.map(({ name, kind }) => [name, kind]) }),
  );
  for (const name of splitNames) {
    const split = data.split(name);
    if (split instanceof StreamedSplit) {
      hash.update(JSON.stringify({ windowRows: split.file.windowRows }));
      for await (const piece of storedColumns(split, name)) hash.update(piece);
    } else {
      for (const column of columnsOf(split)) hash.update(column);
    }
  }
  return hash.digest('hex');
}

function columnsOf({ domainOffsets, ids, numbers = [], lists = [], labels, weights }: Split) {
  const columns = [domainOffsets, labels, ...ids, ...numbers];
  for (const list of lists) columns.push(list.offsets, list.ids);
  if (weights) columns.push(weights);
  return columns;
}
