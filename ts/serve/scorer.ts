import { inputName } from '../data/features.js';
import { isMissing } from '../data/raw.js';
import { requireArray } from '../data/table.js';
import type { Feature, Schema } from '../data/types.js';
import type { Vocabulary } from '../data/vocabulary.js';
import { ConfigError, DataError } from '../errors.js';
import type { NativeProgram, NativeRow, TypedArray } from '../native/addon.js';
import { addon } from '../native/load.js';
import type { Model } from '../nn/model.js';
import { shown } from '../options.js';
import { Batcher } from './batcher.js';
import { type TopK, topK } from './top-k.js';

/** A raw value: of a numeric feature null where it is missing, of a multi-valued one a list. */
export type RawValue = string | number | bigint | boolean | null | readonly (string | number)[];
/** Raw values by feature name. */
export type Row = Readonly<Record<string, RawValue>>;
/** An array of raw values per feature. */
export type Columns = Readonly<Record<string, ArrayLike<RawValue>>>;

function isRows(input: readonly Row[] | Columns): input is readonly Row[] {
  return Array.isArray(input);
}

function requireObject<Value>(what: string, value: Value, expected: string): Value {
  if (typeof value === 'object' && value !== null) return value;
  throw new DataError(`${what}: ${shown(value)}; expected ${expected}`);
}

/**
 * Raw values of one column of rows or columns. Throws DataError when it is not there, and for a row
 * without a value unless that says something (null and NaN of a numeric or multi-valued feature).
 */
export function valuesOf(
  input: readonly Row[] | Columns,
  column: string,
  expected: readonly string[],
  mayBeMissing = false,
): ArrayLike<RawValue> {
  requireObject('rows', input, 'an array of rows, or an object of arrays');
  const values = isRows(input)
    ? input.map((row, r) => requireObject(`row ${r}`, row, 'an object of values')[column])
    : input[column];
  if (values === undefined) {
    throw new DataError(`column '${column}' is missing; expected ${expected.join(', ')}`);
  }
  requireArray(column, values);
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (value !== undefined && (mayBeMissing || !isMissing(value))) continue;
    throw new DataError(
      `row ${row}: '${column}' is ${value === undefined ? 'missing' : value}; expected a value for each of ${expected.join(', ')}`,
    );
  }
  return values as ArrayLike<RawValue>;
}

/** Raw values of every feature, in the order of the schema. Throws DataError. */
export function featureValues(
  input: readonly Row[] | Columns,
  { features }: Schema,
  expected: readonly string[],
): ArrayLike<RawValue>[] {
  return features.map(({ name, kind }) => valuesOf(input, name, expected, kind !== 'categorical'));
}

/** Scores rows of one domain with its effective parameters. */
export class Scorer {
  readonly #names: readonly string[];
  readonly #batcher: Batcher;
  #plan: Plan | undefined;

  /** @internal `domain` is an index; that behind the last one stands for an unknown domain. */
  constructor(
    private readonly model: Model,
    private readonly vocabulary: Vocabulary,
    private readonly domain: number,
  ) {
    this.#names = vocabulary.schema.features.map((feature) => feature.name);
    this.#batcher = new Batcher((columns, rows) => {
      const plan = this.#planned();
      return plan.scoring.predictAsync(this.#inputs(plan, columns, rows), rows, this.domain);
    });
  }

  /**
   * Probabilities [rows], off the event loop. Values that training has not seen count as unknown. Calls that
   * come while others are scored are scored together.
   * Throws DataError for a missing column or value and for a score that is not a number, and BusyError while
   * the model is trained.
   */
  async predict(input: readonly Row[] | Columns): Promise<Float32Array> {
    const { columns, rows } = this.#encode(input);
    return requireNumbers(await this.predictEncoded(columns, rows));
  }

  /** @internal The same of columns as Vocabulary.column() has them, one per feature. */
  async predictEncoded(
    columns: readonly (Int32Array | Float32Array)[],
    rows: number,
  ): Promise<Float32Array> {
    if (rows === 0) return new Float32Array();
    return (await this.#batcher.predict(columns, rows)).map(probability);
  }

  /**
   * The k rows with the highest probabilities, best first, off the event loop; all rows when there are fewer.
   * Of equal ones the first row comes first. With `once`, its values stand in every candidate row, so
   * one user's are given once: topK({ user: 7 }, { item: items }, 10). Throws ConfigError for a k that is
   * no integer of 1 at least, and DataError as predict does.
   */
  async topK(candidates: readonly Row[] | Columns, k: number): Promise<TopK>;
  async topK(once: Row, candidates: Columns, k: number): Promise<TopK>;
  async topK(
    first: readonly Row[] | Columns | Row,
    second: number | Columns,
    third?: number,
  ): Promise<TopK> {
    const k = typeof second === 'number' ? second : (third as number);
    if (!Number.isInteger(k) || k < 1) {
      throw new ConfigError(`topK: k ${shown(k)}; expected an integer of 1 at least`);
    }
    const input =
      typeof second === 'number'
        ? (first as readonly Row[] | Columns)
        : repeated(first as Row, second);
    return topK(await this.predict(input), k);
  }

  /** The probability of one row, now. Throws as predict does. */
  predictSync(row: Row): number {
    const plan = this.#planned();
    const { features } = this.vocabulary.schema;
    requireObject('row', row, 'an object of values');
    for (let f = 0; f < features.length; f++) {
      const { name, kind } = features[f] as Feature;
      const value = row[name];
      if (value === undefined || (kind === 'categorical' && isMissing(value))) {
        featureValues([row], this.vocabulary.schema, this.#names);
      }
      const column = plan.row[f];
      if (column === undefined) continue;
      if (kind === 'categorical' && (typeof value === 'string' || typeof value === 'number')) {
        column[0] = this.vocabulary.encode(f, value);
      } else column.set(this.vocabulary.column(f, [value]));
    }
    plan.native ??= this.#row(plan);
    const score = Math.fround(probability(plan.native.score()));
    if (Number.isNaN(score)) requireNumbers([score]);
    return score;
  }

  #encode(input: readonly Row[] | Columns): {
    columns: (Int32Array | Float32Array)[];
    rows: number;
  } {
    const raw = featureValues(input, this.vocabulary.schema, this.#names);
    const rows = raw[0]?.length ?? 0;
    raw.forEach((values, f) => {
      if (values.length === rows) return;
      throw new DataError(
        `column '${this.#names[f]}' has ${values.length} rows; expected ${rows} as '${this.#names[0]}' has`,
      );
    });
    return { columns: raw.map((values, f) => this.vocabulary.column(f, values)), rows };
  }

  /** The plan for the program that the model has now. */
  #planned(): Plan {
    const { scoring } = this.model.compile();
    if (this.#plan?.scoring === scoring) return this.#plan;
    const { features } = this.vocabulary.schema;
    const names = features.map((feature) => inputName(features, feature));
    const sources = scoring.inputNames.map((name) =>
      name === 'slot' || name === 'domain' ? name : names.indexOf(name),
    );
    const row = features.map((feature, f) => (sources.includes(f) ? oneRow(feature) : undefined));
    this.#plan = { scoring, sources, row };
    return this.#plan;
  }

  #row({ scoring, sources, row }: Plan): NativeRow {
    const columns = sources.map((source) =>
      typeof source === 'string' ? Int32Array.of(this.domain) : (row[source] as TypedArray),
    );
    return new (addon().Row)(scoring, columns, this.domain);
  }

  /** The inputs of the scoring program. */
  #inputs(
    { sources }: Plan,
    columns: readonly (Int32Array | Float32Array)[],
    rows: number,
  ): TypedArray[] {
    return sources.map((source) => {
      if (source === 'slot') return Int32Array.of(this.domain);
      if (source === 'domain') return new Int32Array(rows).fill(this.domain);
      return columns[source] as Int32Array | Float32Array;
    });
  }
}

/** A scoring program, and where each of its inputs comes from: a feature, or the scorer's domain. */
interface Plan {
  readonly scoring: NativeProgram;
  readonly sources: readonly (number | 'slot' | 'domain')[];
  /** By feature: what predictSync writes to. Memory for it costs more than a small model's score. */
  readonly row: readonly (Int32Array | Float32Array | undefined)[];
  /** What it scores then; made when it is first called. */
  native?: NativeRow;
}

/** A feature's column of one row. */
function oneRow(feature: Feature): Int32Array | Float32Array {
  switch (feature.kind) {
    case 'categorical':
      return new Int32Array(1);
    case 'numeric':
      return new Float32Array(2);
    case 'multi-valued':
      return new Int32Array(feature.width);
  }
}

/** The candidates' columns beside columns of one value. */
function repeated(once: Row, candidates: Columns): Columns {
  requireObject('once', once, 'an object of values');
  requireObject('candidates', candidates, 'an object of arrays');
  for (const [name, values] of Object.entries(candidates)) requireArray(name, values);
  const rows = Object.values(candidates)[0]?.length ?? 0;
  const same = Object.entries(once).map(([name, value]) => [name, Array(rows).fill(value)]);
  return { ...candidates, ...Object.fromEntries(same) };
}

/** The scores themselves. Throws DataError where a model's parameters make none. */
export function requireNumbers<Scores extends Float32Array | number[]>(scores: Scores): Scores {
  const row = scores.findIndex(Number.isNaN);
  if (row < 0) return scores;
  throw new DataError(`row ${row} scores NaN; expected a model with finite parameters`);
}

function probability(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
