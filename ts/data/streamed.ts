import { ConfigError, DataError } from '../errors.js';
import { writeFileAtomic } from '../io/atomic.js';
import { TensorFile } from '../io/safetensors.js';
import type { NativeRowFile } from '../native/addon.js';
import { idTables, ofKind, tableOf } from './features.js';
import type { Schema, Split, SplitName } from './types.js';

/**
 * A part whose rows stay in their file: training and scoring read them window by window, and its
 * columns throw ConfigError.
 */
export class StreamedSplit implements Split {
  constructor(
    readonly rows: number,
    readonly domainOffsets: Int32Array,
    /** Where native code finds the columns. */
    readonly file: NativeRowFile,
    /** How often the rows have each id, by table (idTables); nothing where nobody asks. */
    readonly idCounts: readonly Float64Array[],
  ) {}

  get ids(): never {
    return this.#refuse();
  }
  get numbers(): never {
    return this.#refuse();
  }
  get lists(): never {
    return this.#refuse();
  }
  get labels(): never {
    return this.#refuse();
  }
  get weights(): never {
    return this.#refuse();
  }

  #refuse(): never {
    throw new ConfigError(
      `the rows of '${this.file.path}' stay on disk, as they are larger than dataBudget; expected a larger one, or none, where rows are needed in memory`,
    );
  }
}

/** Whether a part's rows have weights. */
export function hasWeights(split: Split): boolean {
  return (split instanceof StreamedSplit ? split.file : split).weights !== undefined;
}

/**
 * One part of a dataset whose rows stay in `file`; `counted`: with the counts of its ids. Throws
 * DataError for columns that are missing.
 */
export async function streamedSplit(
  file: TensorFile,
  name: SplitName,
  schema: Schema,
  dataBudget: number,
  counted: boolean,
): Promise<StreamedSplit> {
  const { features } = schema;
  const place = (
    column: string,
    dtype: 'F32' | 'I32',
    values?: number,
  ): { at: number; count: number } => {
    const { begin, count } = file.place(`${name}.${column}`, dtype);
    if (values === undefined || values === count) return { at: begin, count };
    throw new DataError(`tensor '${name}.${column}' has ${count} values; expected ${values}`);
  };
  const { at: labels, count: rows } = place('labels', 'F32');
  const ids = ofKind(features, 'categorical').map(({ size }, i) => ({
    at: place(`ids.${i}`, 'I32', rows).at,
    size,
  }));
  const numbers = ofKind(features, 'numeric').map((_, i) => ({
    at: place(`numbers.${i}`, 'F32', 2 * rows).at,
  }));
  const lists = ofKind(features, 'multi-valued').map(({ size }, i) => ({
    offsets: place(`lists.${i}.offsets`, 'I32', rows + 1).at,
    ...place(`lists.${i}.ids`, 'I32'),
    size,
  }));
  const weighted = file.count(`${name}.weights`) !== undefined;
  const weights = weighted ? place('weights', 'F32', rows).at : undefined;
  place('domainOffsets', 'I32');
  const domainOffsets = (await file.read(`${name}.domainOffsets`)) as Int32Array;
  const listed = lists.reduce((sum, { count }) => sum + count, 0);
  const values = 1 + ids.length + 2 * numbers.length + lists.length + (weighted ? 1 : 0);
  // And 4 for its place in a window's order. One window is read while another one is at work.
  const rowBytes = 4 * (values + listed / Math.max(1, rows)) + 4;
  const described: NativeRowFile = {
    path: file.path,
    bytes: file.bytes,
    modified: file.modified,
    windowRows: Math.max(1, Math.floor(dataBudget / (2 * rowBytes))),
    ids,
    numbers,
    lists,
    labels,
    ...(weights !== undefined && { weights }),
  };
  const idCounts = counted ? await countStored(file, name, schema) : [];
  return new StreamedSplit(rows, domainOffsets, described, idCounts);
}

/** Values that are read at a time. */
const readAtOnce = 2 ** 20;

/** A column's values, piece by piece. Throws CheckpointError. */
export async function* piecesOf(
  file: TensorFile,
  column: string,
  from = 0,
  to = file.count(column) ?? 0,
): AsyncGenerator<Int32Array | Float32Array> {
  for (let at = from; at < to; at += readAtOnce) {
    yield (await file.read(column, at, Math.min(to, at + readAtOnce))) as Int32Array | Float32Array;
  }
}

/** The file of a part, opened. Throws DataError where it is not the one that was opened before. */
async function reopened({ file: { path, bytes, modified } }: StreamedSplit): Promise<TensorFile> {
  const file = await TensorFile.open(path);
  if (file.bytes === bytes && file.modified === modified) return file;
  await file.close();
  throw new DataError(`'${path}' changed after it was opened; expected it to stay as it is`);
}

/**
 * All values of a part in its file, in pieces: offsets of domains, labels, ids, numbers, offsets and ids of
 * lists, weights. Throws DataError, CheckpointError.
 */
export async function* storedColumns(
  split: StreamedSplit,
  name: SplitName,
): AsyncGenerator<Int32Array | Float32Array> {
  const { ids, numbers, lists, weights } = split.file;
  const file = await reopened(split);
  try {
    for (const column of [
      'domainOffsets',
      'labels',
      ...ids.map((_, i) => `ids.${i}`),
      ...numbers.map((_, i) => `numbers.${i}`),
      ...lists.flatMap((_, i) => [`lists.${i}.offsets`, `lists.${i}.ids`]),
      ...(weights === undefined ? [] : ['weights']),
    ]) {
      yield* piecesOf(file, `${name}.${column}`);
    }
  } finally {
    await file.close();
  }
}

/** The labels of a part, which are read where they stay on disk. Throws DataError, CheckpointError. */
export async function labelsIn(split: Split, name: SplitName): Promise<Float32Array> {
  if (!(split instanceof StreamedSplit)) return split.labels;
  const file = await reopened(split);
  try {
    return (await file.read(`${name}.labels`)) as Float32Array;
  } finally {
    await file.close();
  }
}

/** Copies the file of a part's rows. Throws DataError, CheckpointError. */
export async function copyStored(split: StreamedSplit, to: string): Promise<void> {
  const source = await reopened(split);
  try {
    await writeFileAtomic(to, (file) => source.copyTo(file));
  } finally {
    await source.close();
  }
  // Nor may it have changed meanwhile.
  await (await reopened(split)).close();
}

async function countStored(
  file: TensorFile,
  name: SplitName,
  schema: Schema,
): Promise<Float64Array[]> {
  const tables = idTables(schema);
  const counts = tables.map(({ size }) => new Float64Array(size));
  for (const kind of ['categorical', 'multi-valued'] as const) {
    for (const [i, feature] of ofKind(schema.features, kind).entries()) {
      const column = kind === 'categorical' ? `${name}.ids.${i}` : `${name}.lists.${i}.ids`;
      const own = counts[tables.findIndex((table) => table.name === tableOf(feature))];
      for await (const ids of piecesOf(file, column)) {
        // Ids outside the table are refused when rows are read.
        if (own) for (const id of ids) if (id < own.length) own[id] = (own[id] as number) + 1;
      }
    }
  }
  return counts;
}
