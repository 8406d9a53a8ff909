import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../errors.js';
import { makeFolder, writeFileAtomic } from '../io/atomic.js';
import { readTensors, writeTensors } from '../io/safetensors.js';
import { ofKind } from './features.js';
import { type Prepared, presentColumns } from './prepare.js';
import { type Schema, splitNames } from './types.js';
import { checkUsage, storedUsage } from './usage.js';

const format = 'polydomain-dataset';
const version = 1;

/** Writes a prepared dataset. schema.json comes last: a folder that has it is complete. */
export async function writeFolder(folder: string, prepared: Prepared): Promise<void> {
  await makeFolder(folder);
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
  await writeTensors(join(folder, 'dataset.safetensors'), tensors);
  const { schema, vocabularies, usage } = prepared;
  // Rows tell that of the first data set.
  const continued = usage && usage.generation > 0 ? { usage } : {};
  await writeFileAtomic(
    join(folder, 'schema.json'),
    `${JSON.stringify({ format, version, schema, vocabularies, ...continued })}\n`,
  );
}

/** Reads what writeFolder() wrote. Throws DataError when it is missing, truncated or foreign. */
export async function readFolder(folder: string): Promise<Prepared> {
  try {
    const stored = JSON.parse(await readFile(join(folder, 'schema.json'), 'utf8')) as {
      format?: string;
      version?: number;
      schema: Schema;
      vocabularies: string[][];
      usage?: unknown;
    };
    if (stored.format !== format || stored.version !== version) {
      throw new DataError(
        `format '${stored.format}' version ${stored.version}; expected '${format}' version ${version}`,
      );
    }
    if (!Array.isArray(stored.vocabularies)) throw new DataError('vocabularies are missing');
    const usage = stored.usage === undefined ? undefined : storedUsage.parse(stored.usage);
    if (usage) checkUsage(stored.vocabularies, usage);
    const tensors = await readTensors(join(folder, 'dataset.safetensors'));
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
      vocabularies: stored.vocabularies,
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
