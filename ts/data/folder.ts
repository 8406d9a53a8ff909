import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../errors.js';
import { makeFolder, writeFileAtomic } from '../io/atomic.js';
import { readTensors, TensorFile, writeTensors } from '../io/safetensors.js';
import { readVocabulary, type StoredVocabulary, writeVocabulary } from '../io/vocabulary-file.js';
import { parse } from '../options.js';
import { ofKind } from './features.js';
import { type Prepared, presentColumns } from './prepare.js';
import { schemaShape } from './schema.js';
import { copyStored, piecesOf, StreamedSplit, streamedSplit } from './streamed.js';
import { type Schema, splitNames } from './types.js';
import { checkUsage, storedUsage } from './usage.js';

const format = 'polydomain-dataset';
const version = 1;

/** The file of a folder that holds its rows. */
export function rowsPath(folder: string): string {
  return join(folder, 'dataset.safetensors');
}

/** Writes a prepared dataset. schema.json comes last: a folder that has it is complete. */
export async function writeFolder(folder: string, prepared: Prepared): Promise<void> {
  await makeFolder(folder);
  const [train] = prepared.splits;
  if (train instanceof StreamedSplit) await copyStored(train, rowsPath(folder));
  else await writeRows(folder, prepared);
  await writeSchema(folder, prepared);
}

async function writeRows(folder: string, prepared: Prepared): Promise<void> {
  const tensors = new Map<string, Int32Array | Float32Array>();
  splitNames.forEach((name, p) => {
    const split = prepared.splits[p] as Prepared['splits'][0];
    tensors.set(`${name}.domainOffsets`, split.domainOffsets);
    tensors.set(`${name}.labels`, split.labels);
    split.ids.forEach((ids, i) => {
      tensors.set(`${name}.ids.${i}`, ids);
    });
    split.numbers?.forEach((numbers, i) => {
      tensors.set(`${name}.numbers.${i}`, numbers);
    });
    split.lists?.forEach((lists, i) => {
      tensors.set(`${name}.lists.${i}.offsets`, lists.offsets);
      tensors.set(`${name}.lists.${i}.ids`, lists.ids);
    });
    if (split.weights) tensors.set(`${name}.weights`, split.weights);
  });
  await writeTensors(rowsPath(folder), tensors);
}

/** Writes the vocabularies and schema.json, which says that the rows are there. */
export async function writeSchema(
  folder: string,
  { schema, vocabularies, usage }: Omit<Prepared, 'splits'>,
): Promise<void> {
  await writeVocabulary(folder, { values: vocabularies, usage });
  await writeFileAtomic(
    join(folder, 'schema.json'),
    `${JSON.stringify({ format, version, schema })}\n`,
  );
}

/** What schema.json says; older folders have the vocabularies in it as well. */
interface StoredSchema {
  readonly format?: string;
  readonly version?: number;
  readonly schema: Schema;
  readonly vocabularies?: string[][];
  readonly usage?: unknown;
}

async function vocabularyOf(folder: string, stored: StoredSchema): Promise<StoredVocabulary> {
  if (!stored.vocabularies) return readVocabulary(folder);
  if (!Array.isArray(stored.vocabularies)) throw new DataError('vocabularies are missing');
  const usage = stored.usage === undefined ? undefined : storedUsage.parse(stored.usage);
  return { values: stored.vocabularies, usage };
}

/**
 * Reads what writeFolder() wrote. Rows that are larger than the budget stay in their file. Throws
 * DataError when it is missing, truncated or foreign.
 */
export async function readFolder(
  folder: string,
  dataBudget = Number.POSITIVE_INFINITY,
): Promise<Prepared> {
  try {
    const stored = JSON.parse(await readFile(join(folder, 'schema.json'), 'utf8')) as StoredSchema;
    if (stored.format !== format || stored.version !== version) {
      throw new DataError(
        `format '${stored.format}' version ${stored.version}; expected '${format}' version ${version}`,
      );
    }
    // Checked, not rebuilt: the order of its keys is part of what runs are told apart by.
    parse(schemaShape, stored.schema, 'schema');
    const { values: vocabularies, usage } = await vocabularyOf(folder, stored);
    if (usage) checkUsage(vocabularies, usage);
    const path = rowsPath(folder);
    if ((await stat(path)).size > dataBudget) {
      const { schema } = stored;
      const countsIds = vocabularies.some(({ length }) => length > 0);
      const splits = await streamedSplits(path, schema, dataBudget, countsIds);
      return { schema, vocabularies, ...(usage && { usage }), splits };
    }
    const tensors = await readTensors(path);
    const get = <Values extends Int32Array | Float32Array>(
      name: string,
      type: new () => Values,
    ): Values => {
      const values = tensors.get(name);
      if (values instanceof type) return values;
      throw new DataError(`tensor '${name}' is missing`);
    };
    const { features } = stored.schema;
    const splits = splitNames.map((name) => {
      const labels = get(`${name}.labels`, Float32Array);
      return {
        rows: labels.length,
        domainOffsets: get(`${name}.domainOffsets`, Int32Array),
        ...presentColumns({
          ids: ofKind(features, 'categorical').map((_, i) => get(`${name}.ids.${i}`, Int32Array)),
          numbers: ofKind(features, 'numeric').map((_, i) =>
            get(`${name}.numbers.${i}`, Float32Array),
          ),
          lists: ofKind(features, 'multi-valued').map((_, i) => ({
            offsets: get(`${name}.lists.${i}.offsets`, Int32Array),
            ids: get(`${name}.lists.${i}.ids`, Int32Array),
          })),
        }),
        labels,
        ...(tensors.has(`${name}.weights`) && { weights: get(`${name}.weights`, Float32Array) }),
      };
    });
    return {
      schema: stored.schema,
      vocabularies,
      ...(usage && { usage }),
      splits: splits as unknown as Prepared['splits'],
    };
  } catch (cause) {
    throw new DataError(
      `'${folder}' is not a prepared dataset: ${(cause as Error).message}; expected a folder that Dataset.save wrote`,
      { cause },
    );
  }
}

/** Of a prepared folder, by part and domain: rows, and those with label 1. Throws CheckpointError. */
export async function countLabels(
  folder: string,
): Promise<(readonly { readonly rows: number; readonly positives: number }[])[]> {
  const file = await TensorFile.open(rowsPath(folder));
  try {
    const parts = [];
    for (const name of splitNames) {
      const offsets = await file.read(`${name}.domainOffsets`);
      const domains = [];
      for (let d = 0; d + 1 < offsets.length; d++) {
        const [begin, end] = [offsets[d] as number, offsets[d + 1] as number];
        let positives = 0;
        for await (const labels of piecesOf(file, `${name}.labels`, begin, end)) {
          for (const label of labels) positives += label;
        }
        domains.push({ rows: end - begin, positives });
      }
      parts.push(domains);
    }
    return parts;
  } finally {
    await file.close();
  }
}

async function streamedSplits(
  path: string,
  schema: Schema,
  dataBudget: number,
  countsIds: boolean,
): Promise<Prepared['splits']> {
  const file = await TensorFile.open(path);
  try {
    const splits = splitNames.map((name) =>
      streamedSplit(file, name, schema, dataBudget, countsIds && name === 'train'),
    );
    return (await Promise.all(splits)) as unknown as Prepared['splits'];
  } finally {
    await file.close();
  }
}
