import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { hasIds, tableOf } from '../data/features.js';
import { type MamdrIds, mamdrValues } from '../data/mamdr.js';
import type { IdFeature, Schema } from '../data/types.js';
import type { Vocabulary } from '../data/vocabulary.js';
import { ConfigError, DataError } from '../errors.js';
import { entriesIn } from '../io/json-entries.js';
import { TensorPieces } from '../io/safetensors.js';
import { suggest } from '../nearest.js';
import type { ParameterOptions } from '../nn/module.js';

const table = z.strictObject({
  source: z
    .string()
    .describe('A safetensors file with the vectors as rows; or .json, with vectors by raw value'),
  tensor: z.string().optional().describe('The tensor of a safetensors file that holds several'),
  values: z
    .string()
    .optional()
    .describe(
      "A JSON file with the raw values of rows 0, 1, ... in an array, or MAMDR's <field>2id.json",
    ),
  trainable: z.boolean().default(true).describe('false: training never changes the table'),
});
type TableOptions = z.output<typeof table>;

/** Options of tables that start from vectors of a file. */
export const pretrained = z
  .record(z.string(), table)
  .optional()
  .describe('By feature: vectors of a file that its embedding table starts from');

/** How a table's parameter differs from others. */
export type PretrainedTable = Required<Pick<ParameterOptions, 'trainable' | 'fill'>>;

/**
 * Tables by name. Their files are read when a table is filled, which throws DataError. Throws ConfigError
 * for features that have no table of their own in the options, and for a missing vocabulary.
 */
export function pretrainedTables(
  options: Readonly<Record<string, TableOptions>>,
  schema: Schema,
  vocabulary: Vocabulary | undefined,
): Map<string, PretrainedTable> {
  const tables = new Map<string, PretrainedTable>();
  const embedded = schema.features.filter(hasIds);
  for (const [name, own] of Object.entries(options)) {
    const where = `pretrained.${name}`;
    const feature = embedded.find((one) => one.name === name);
    if (!feature) {
      const known = embedded.map((one) => one.name);
      throw new ConfigError(`${where}: no embedded feature${suggest(name, known)}`);
    }
    if (tables.has(tableOf(feature))) {
      throw new ConfigError(`${where}: table '${tableOf(feature)}' is given twice; expected once`);
    }
    const isJson = own.source.toLowerCase().endsWith('.json');
    if (isJson && own.tensor !== undefined) {
      throw new ConfigError(`${where}.tensor: '${own.tensor}'; expected none with a JSON source`);
    }
    const idOf = isJson || own.values ? idsOf(where, feature, schema, vocabulary) : undefined;
    tables.set(tableOf(feature), {
      trainable: own.trainable,
      fill(values) {
        const target = { where, values, rows: feature.size };
        return idOf ? fillByValue(target, own, idOf, isJson) : fillById(target, own);
      },
    });
  }
  return tables;
}

/** The id of a raw value, 0 of an unknown one. Throws ConfigError where there are no raw values. */
function idsOf(
  where: string,
  { name, hashed }: IdFeature,
  schema: Schema,
  vocabulary: Vocabulary | undefined,
): (value: string) => number {
  if (hashed) {
    throw new ConfigError(
      `${where}: '${name}' has hashed ids; expected a safetensors file of a row per bucket, without values`,
    );
  }
  if (!vocabulary) {
    throw new ConfigError(
      `${where}: no vocabulary to match raw values with; expected vocabulary: data.vocabulary beside schema`,
    );
  }
  if (vocabulary.schema !== schema && !isDeepStrictEqual(vocabulary.schema, schema)) {
    throw new ConfigError(`${where}: the vocabulary has another schema than the model`);
  }
  const place = schema.features.findIndex((feature) => feature.name === name);
  if (vocabulary.valuesOf(place).length === 0) {
    throw new ConfigError(
      `${where}: '${name}' has ids without raw values; expected a safetensors file of a row per id, without values`,
    );
  }
  return (value) => vocabulary.encode(place, value);
}

/** A parameter's values as a table to be filled. */
interface Target {
  readonly where: string;
  readonly values: Float32Array;
  readonly rows: number;
}

/** One vector and where it stands in its file. */
interface Vector {
  readonly key: string;
  readonly values: ArrayLike<number>;
}

/** The vectors of a file, piece by piece. */
type Vectors = Iterable<readonly Vector[]>;

/** Values of a piece. */
const valuesAtOnce = 2 ** 18;

function* fillById(target: Target, { source, tensor }: TableOptions): Generator<void> {
  const { rows, vectors } = readRows(target, source, tensor);
  if (rows !== target.rows) {
    throw new DataError(
      `${target.where}: '${source}' has ${rows} rows; expected ${target.rows}, one per id, or the raw values of the rows`,
    );
  }
  for (const piece of vectors) {
    for (const vector of piece) setRow(target, source, Number(vector.key), vector);
    yield;
  }
}

function* fillByValue(
  target: Target,
  { source, tensor, values }: TableOptions,
  idOf: (value: string) => number,
  isJson: boolean,
): Generator<void> {
  const { where } = target;
  const names = values === undefined ? undefined : readValues(where, values);
  const { rows, vectors } = isJson
    ? { rows: undefined, vectors: readVectors(where, source) }
    : readRows(target, source, tensor);
  if (names && rows !== undefined && names.length !== rows) {
    throw new DataError(
      `${where}: '${values}' has ${names.length} values; expected ${rows}, one per row of '${source}'`,
    );
  }
  const seen = new Uint8Array(target.rows);
  let [count, found] = [0, 0];
  const add = (vector: Vector): void => {
    const value = names ? names[numberOf(vector.key)] : vector.key;
    if (value === undefined) {
      throw new DataError(
        `${where}: '${source}' has '${vector.key}'; expected numbers below ${names?.length}, whose values '${values}' has`,
      );
    }
    const id = idOf(value);
    if (id === 0) return;
    if (seen[id] === 1) {
      throw new DataError(`${where}: value '${value}' has two vectors; expected one of each`);
    }
    seen[id] = 1;
    found++;
    setRow(target, source, id, vector);
  };
  for (const piece of vectors) {
    piece.forEach(add);
    count += piece.length;
    yield;
  }
  if (found > 0) return;
  throw new DataError(
    `${where}: none of ${count} vectors of '${source}' is of a value that training has seen; expected raw values such as those in the data`,
  );
}

/** -1 for what is no number of a row. */
function numberOf(key: string): number {
  return /^\d+$/.test(key) ? Number(key) : -1;
}

function setRow({ where, values, rows }: Target, source: string, row: number, own: Vector): void {
  const dim = values.length / rows;
  const bad = (what: string): DataError =>
    new DataError(
      `${where}: '${source}', vector '${own.key}' has ${what}; expected ${dim} finite numbers (embeddingDim)`,
    );
  if (own.values.length !== dim) throw bad(`${own.values.length} values`);
  values.set(own.values, row * dim);
  for (let i = 0; i < dim; i++) {
    if (!Number.isFinite(values[row * dim + i])) throw bad(`the value ${own.values[i]}`);
  }
}

function readRows(
  { where }: Target,
  source: string,
  tensor: string | undefined,
): { readonly rows: number; readonly vectors: Vectors } {
  const table = inFile(where, () => TensorPieces.of(source, tensor));
  const { shape, dtype } = table;
  if (dtype !== 'F32' || shape.length !== 2) {
    throw new DataError(
      `${where}: '${source}' holds ${dtype} of shape [${shape}]; expected F32 of shape [rows, dim]`,
    );
  }
  const [rows = 0, dim = 0] = shape;
  function* pieces(): Generator<Vector[]> {
    // No piece without a row, and no row of nothing.
    const rowsAtOnce = Math.max(1, Math.floor(valuesAtOnce / Math.max(1, dim)));
    const read = table.read(rowsAtOnce * dim);
    for (let first = 0; first < rows; first += rowsAtOnce) {
      const { value = new Float32Array() } = inFile(where, () => read.next());
      yield Array.from({ length: Math.min(rowsAtOnce, rows - first) }, (_, row) => ({
        key: String(first + row),
        values: value.subarray(row * dim, (row + 1) * dim),
      }));
    }
  }
  return { rows, vectors: pieces() };
}

function* readVectors(where: string, source: string): Generator<Vector[]> {
  const entries = entriesIn(source, 'vectors by raw value');
  for (;;) {
    const { done, value } = inFile(where, () => entries.next());
    if (done) return;
    yield value.map(([key, given]) => {
      const parts = typeof given === 'string' ? given.trim().split(/\s+/) : given;
      if (Array.isArray(parts)) return { key, values: parts.map((part) => componentOf(part)) };
      throw new DataError(
        `${where}: '${source}', '${key}' is ${JSON.stringify(given)}; expected an array of numbers, or text with blanks between them`,
      );
    });
  }
}

/** NaN for what is no number. */
function componentOf(part: unknown): number {
  return typeof part === 'number' || (typeof part === 'string' && part !== '')
    ? Number(part)
    : Number.NaN;
}

function readValues(where: string, path: string): string[] {
  const content = readJson(where, path);
  if (Array.isArray(content)) return content.map(String);
  if (typeof content === 'object' && content !== null && 'raw_id2id' in content) {
    return mamdrValues(content as MamdrIds);
  }
  throw new DataError(
    `${where}: '${path}' holds neither an array nor raw_id2id; expected the rows' raw values`,
  );
}

function readJson(where: string, path: string): unknown {
  return inFile(where, () => {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as unknown;
    } catch (cause) {
      throw new DataError(`'${path}' cannot be read as JSON: ${(cause as Error).message}`, {
        cause,
      });
    }
  });
}

/** Says whose file an error is about. */
function inFile<Content>(where: string, read: () => Content): Content {
  try {
    return read();
  } catch (cause) {
    throw new DataError(`${where}: ${(cause as Error).message}`, { cause });
  }
}
