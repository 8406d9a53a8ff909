import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, DataError } from '../errors.js';
import { writeFileAtomic } from '../io/atomic.js';
import { readTensors, writeTensors } from '../io/safetensors.js';
import { suggest } from '../nearest.js';
import { byPositive, Known, type Pairs, perUser } from './negatives.js';
import { Random } from './random.js';
import { readTable, type Table } from './table.js';
import { type Schema, type Split, type SplitName, splitNames } from './types.js';

/** How rows are told apart into training, validation and test. */
export type SplitRule =
  | { readonly column: string }
  | { readonly random: readonly [number, number, number] }
  | { readonly time: string; readonly at: readonly [string, string] };

/** Negatives for data that holds positives only. */
export interface NegativeRule {
  /** 'by-positive': user of a random positive; 'per-user': MAMDR's public preparation. */
  readonly method: 'by-positive' | 'per-user';
  readonly user: string;
  readonly item: string;
  /** Positives per negative: one number, or a range from which each domain draws its own. */
  readonly ratio: number | readonly [number, number];
  /** Where items come from: those of the domain, or all. */
  readonly from?: 'domain' | 'all';
}

export interface DatasetOptions {
  /** A CSV, Parquet or JSON Lines file; with `query`, whatever that reads. */
  readonly source: string;
  /** SQL that makes the rows; {source} stands for the source. */
  readonly query?: string;
  readonly domain: string;
  /** Column of 0 and 1. Left out with `negatives`. */
  readonly label?: string;
  /** Categorical columns; the domain itself need not be among them. */
  readonly features: readonly string[];
  readonly split: SplitRule;
  readonly negatives?: NegativeRule;
  /** Keeps domains of at least this many rows (positives, with `negatives`). */
  readonly minRows?: number;
  readonly seed?: number;
}

const formatVersion = 1;

interface Rows {
  domain: Int32Array;
  part: Int8Array;
  label: Float32Array;
  raw: readonly (readonly string[])[];
}

function text(value: unknown, column: string, row: number): string {
  if (value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value))) {
    throw new DataError(
      `column '${column}', row ${row + 1}: ${value}; expected a value (drop or fill such rows before)`,
    );
  }
  return String(value);
}

function partOf(rule: SplitRule, table: Table, domain: Int32Array, random: Random): Int8Array {
  const part = new Int8Array(table.rows);
  if ('column' in rule) {
    const names: Record<string, number> = { train: 0, validation: 1, val: 1, test: 2 };
    table.column(rule.column).forEach((value, row) => {
      const index = names[String(value)];
      if (index === undefined) {
        throw new DataError(
          `column '${rule.column}', row ${row + 1}: '${value}'; expected train, validation, val or test`,
        );
      }
      part[row] = index;
    });
  } else if ('time' in rule) {
    const [first, second] = rule.at;
    table.column(rule.time).forEach((value, row) => {
      const time = text(value, rule.time, row);
      part[row] = time < first ? 0 : time < second ? 1 : 2;
    });
  } else {
    // Each domain by itself, so that small ones have rows in every part.
    const [train, validation, test] = rule.random;
    if (
      !(train > 0 && validation >= 0 && test >= 0 && Math.abs(train + validation + test - 1) < 1e-9)
    ) {
      throw new ConfigError(
        `split.random: [${rule.random}]; expected three shares that add up to 1`,
      );
    }
    const byDomain = new Map<number, number[]>();
    domain.forEach((d, row) => {
      const rows = byDomain.get(d);
      if (rows) rows.push(row);
      else byDomain.set(d, [row]);
    });
    for (const d of [...byDomain.keys()].sort((a, b) => a - b)) {
      const rows = byDomain.get(d) as number[];
      random.shuffle(rows);
      const held = Math.ceil((1 - train) * rows.length - 1e-9);
      const tests = Math.ceil((held * test) / Math.max(validation + test, 1e-9) - 1e-9);
      rows.forEach((row, i) => {
        part[row] = i < tests ? 2 : i < held ? 1 : 0;
      });
    }
  }
  return part;
}

/** Ids of strings in the order of their first appearance. */
function index(values: readonly string[]): { ids: Int32Array; names: string[] } {
  const known = new Map<string, number>();
  const ids = Int32Array.from(values, (value) => {
    let id = known.get(value);
    if (id === undefined) {
      id = known.size;
      known.set(value, id);
    }
    return id;
  });
  return { ids, names: [...known.keys()] };
}

/** Rows of training, validation and test data with the schema and vocabularies behind them. */
export class Dataset {
  #lookups: Map<string, number>[] | undefined;

  private constructor(
    readonly schema: Schema,
    /** Per feature: the raw values of ids 1, 2, ...; 0 is everything else. */
    readonly vocabularies: readonly (readonly string[])[],
    readonly train: Split,
    readonly validation: Split,
    readonly test: Split,
  ) {}

  /**
   * Prepares raw rows. Vocabularies come from the training part; ids of other values are 0. Throws
   * DataError (missing file or column, a label outside {0, 1}, missing values, a domain without
   * training rows) and ConfigError.
   */
  static async from(options: DatasetOptions): Promise<Dataset> {
    const table = await readTable(options.source, options.query);
    const random = new Random(options.seed ?? 0);
    let rows = Dataset.#read(options, table, random);
    const names = rows.names;
    if (options.negatives) rows = { ...Dataset.#withNegatives(options, rows, random), names };
    return Dataset.#encode(options, rows, names);
  }

  static #read(
    options: DatasetOptions,
    table: Table,
    random: Random,
  ): Rows & { names: readonly string[] } {
    const { label, features, negatives } = options;
    if ((label === undefined) === (negatives === undefined)) {
      throw new ConfigError('data: expected either label or negatives');
    }
    if (features.length === 0) throw new ConfigError('data: features []; expected one at least');
    const column = (name: string): string[] =>
      table.column(name).map((value, row) => text(value, name, row));
    const all = index(column(options.domain));
    const counts = new Int32Array(all.names.length);
    for (const id of all.ids) counts[id] = (counts[id] as number) + 1;
    const kept = all.names
      .filter((_, id) => (counts[id] as number) >= (options.minRows ?? 1))
      .sort();
    const renamed = all.names.map((name) => kept.indexOf(name));
    const domain = all.ids.map((id) => renamed[id] as number);
    const part = partOf(options.split, table, domain, random);
    const labels = new Float32Array(table.rows).fill(1);
    if (label !== undefined) {
      table.column(label).forEach((value, row) => {
        const number = typeof value === 'boolean' ? Number(value) : Number(text(value, label, row));
        if (number !== 0 && number !== 1) {
          throw new DataError(`column '${label}', row ${row + 1}: '${value}'; expected 0 or 1`);
        }
        labels[row] = number;
      });
    }
    const raw = features.map(column);
    const rows = [...domain.keys()].filter((row) => (domain[row] as number) >= 0);
    return {
      names: kept,
      domain: Int32Array.from(rows, (row) => domain[row] as number),
      part: Int8Array.from(rows, (row) => part[row] as number),
      label: Float32Array.from(rows, (row) => labels[row] as number),
      raw: raw.map((values) => rows.map((row) => values[row] as string)),
    };
  }

  static #withNegatives(
    options: DatasetOptions,
    rows: Rows & { names: readonly string[] },
    random: Random,
  ): Rows {
    const rule = options.negatives as NegativeRule;
    if (options.features.length !== 2) {
      throw new ConfigError(
        `data.negatives: features [${options.features}]; expected the user's and the item's column only`,
      );
    }
    const columnOf = (name: string): readonly string[] => {
      const at = options.features.indexOf(name);
      if (at >= 0) return rows.raw[at] as readonly string[];
      throw new ConfigError(`data.negatives: '${name}'${suggest(name, options.features)}`);
    };
    const [low, high] = typeof rule.ratio === 'number' ? [rule.ratio, rule.ratio] : rule.ratio;
    if (!(low > 0 && high >= low)) {
      throw new ConfigError(`data.negatives.ratio: ${rule.ratio}; expected positives per negative`);
    }
    const users = index(columnOf(rule.user));
    const items = index(columnOf(rule.item));
    const draw = rule.method === 'per-user' ? perUser : byPositive;
    const known = new Known();
    known.add({ users: users.ids, items: items.ids });
    const everything = Int32Array.from(items.names.keys());
    const domain: number[] = [];
    const part: number[] = [];
    const drawn: Pairs[] = [];
    for (let d = 0; d < rows.names.length; d++) {
      const ratio = Math.round((low + (high - low) * random.next()) * 100) / 100;
      const own = [...rows.domain.keys()].filter((row) => rows.domain[row] === d);
      const candidates =
        rule.from === 'all'
          ? everything
          : Int32Array.from(new Set(own.map((row) => items.ids[row] as number)));
      for (let p = 0; p < splitNames.length; p++) {
        const positives = own.filter((row) => rows.part[row] === p);
        if (positives.length === 0) continue;
        const pairs = draw(
          {
            users: Int32Array.from(positives, (row) => users.ids[row] as number),
            items: Int32Array.from(positives, (row) => items.ids[row] as number),
          },
          candidates,
          known,
          ratio,
          random,
        );
        drawn.push(pairs);
        for (let i = 0; i < pairs.users.length; i++) {
          domain.push(d);
          part.push(p);
        }
      }
    }
    const named = (source: { names: string[] }, key: keyof Pairs) =>
      drawn.flatMap((pairs) => Array.from(pairs[key], (id) => source.names[id] as string));
    const label = new Float32Array(rows.label.length + domain.length);
    label.set(rows.label);
    return {
      domain: Int32Array.from([...rows.domain, ...domain]),
      part: Int8Array.from([...rows.part, ...part]),
      label,
      raw: options.features.map((name, i) => [
        ...(rows.raw[i] as readonly string[]),
        ...named(name === rule.user ? users : items, name === rule.user ? 'users' : 'items'),
      ]),
    };
  }

  static #encode(options: DatasetOptions, rows: Rows, domains: readonly string[]): Dataset {
    const lookups = rows.raw.map((values) => {
      const ids = new Map<string, number>();
      values.forEach((value, row) => {
        if (rows.part[row] === 0 && !ids.has(value)) ids.set(value, ids.size + 1);
      });
      return ids;
    });
    const schema: Schema = {
      label: options.label ?? 'label',
      domain: options.domain,
      features: options.features.map((name, i) => ({
        name,
        kind: 'categorical',
        size: (lookups[i] as Map<string, number>).size + 1,
      })),
      domains,
    };
    const splits = splitNames.map((_, p) => {
      const own = [...rows.domain.keys()].filter((row) => rows.part[row] === p);
      // Stable: rows of a domain keep their order.
      own.sort((a, b) => (rows.domain[a] as number) - (rows.domain[b] as number) || a - b);
      const offsets = new Int32Array(domains.length + 1);
      for (const row of own) {
        const next = (rows.domain[row] as number) + 1;
        offsets[next] = (offsets[next] as number) + 1;
      }
      for (let d = 0; d < domains.length; d++) {
        offsets[d + 1] = (offsets[d + 1] as number) + (offsets[d] as number);
      }
      return {
        rows: own.length,
        domainOffsets: offsets,
        ids: rows.raw.map((values, i) =>
          Int32Array.from(
            own,
            (row) => (lookups[i] as Map<string, number>).get(values[row] as string) ?? 0,
          ),
        ),
        labels: Float32Array.from(own, (row) => rows.label[row] as number),
      };
    });
    return Dataset.of(
      schema,
      lookups.map((ids) => [...ids.keys()]),
      splits as unknown as [Split, Split, Split],
    );
  }

  /** A dataset over arrays. Throws DataError where they do not fit the schema. */
  static of(
    schema: Schema,
    vocabularies: readonly (readonly string[])[],
    splits: readonly [Split, Split, Split],
  ): Dataset {
    splits.forEach((split, p) => {
      checkSplit(schema, split, splitNames[p] as SplitName);
    });
    return new Dataset(schema, vocabularies, ...splits);
  }

  split(name: SplitName): Split {
    return this[name];
  }

  /** The id of a raw value of feature `feature`; 0 when training has not seen it. */
  encode(feature: number, value: string | number): number {
    this.#lookups ??= this.vocabularies.map(
      (values) => new Map(values.map((known, i) => [known, i + 1])),
    );
    return this.#lookups[feature]?.get(String(value)) ?? 0;
  }

  /** Writes a folder that open() reads: schema.json and dataset.safetensors. */
  async save(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    const tensors = new Map<string, Int32Array | Float32Array>();
    for (const name of splitNames) {
      const split = this.split(name);
      tensors.set(`${name}.domainOffsets`, split.domainOffsets);
      tensors.set(`${name}.labels`, split.labels);
      for (const [i, ids] of split.ids.entries()) tensors.set(`${name}.ids.${i}`, ids);
    }
    await writeTensors(join(folder, 'dataset.safetensors'), tensors);
    const { schema, vocabularies } = this;
    await writeFileAtomic(
      join(folder, 'schema.json'),
      `${JSON.stringify({ format: 'polydomain-dataset', version: formatVersion, schema, vocabularies })}\n`,
    );
  }

  /** Reads what save() wrote. Throws DataError when it is missing, truncated or foreign. */
  static async open(folder: string): Promise<Dataset> {
    try {
      const stored = JSON.parse(await readFile(join(folder, 'schema.json'), 'utf8')) as {
        format?: string;
        version?: number;
        schema: Schema;
        vocabularies: string[][];
      };
      if (stored.format !== 'polydomain-dataset' || stored.version !== formatVersion) {
        throw new DataError(
          `format '${stored.format}' version ${stored.version}; expected 'polydomain-dataset' version ${formatVersion}`,
        );
      }
      const tensors = await readTensors(join(folder, 'dataset.safetensors'));
      const get = <Values>(name: string): Values => {
        const values = tensors.get(name);
        if (values) return values as Values;
        throw new DataError(`tensor '${name}' is missing`);
      };
      const splits = splitNames.map((name) => {
        const labels = get<Float32Array>(`${name}.labels`);
        return {
          rows: labels.length,
          domainOffsets: get<Int32Array>(`${name}.domainOffsets`),
          ids: stored.schema.features.map((_, i) => get<Int32Array>(`${name}.ids.${i}`)),
          labels,
        };
      });
      return Dataset.of(
        stored.schema,
        stored.vocabularies,
        splits as unknown as [Split, Split, Split],
      );
    } catch (cause) {
      throw new DataError(
        `'${folder}' is not a prepared dataset: ${(cause as Error).message}; expected a folder that Dataset.save wrote`,
        { cause },
      );
    }
  }
}

function checkSplit(schema: Schema, split: Split, name: SplitName): void {
  const fail = (message: string): never => {
    throw new DataError(`${name}: ${message}`);
  };
  const { domainOffsets, ids, labels, rows } = split;
  if (domainOffsets.length !== schema.domains.length + 1 || domainOffsets.at(-1) !== rows) {
    fail(
      `${domainOffsets.length - 1} domains; expected ${schema.domains.length} over ${rows} rows`,
    );
  }
  schema.domains.forEach((domain, d) => {
    const count = (domainOffsets[d + 1] as number) - (domainOffsets[d] as number);
    if (count < 0 || (count === 0 && name === 'train')) {
      fail(
        `domain '${domain}' has no rows; expected one at least, or the domain left out (minRows)`,
      );
    }
  });
  if (ids.length !== schema.features.length || labels.length !== rows) {
    fail(
      `${ids.length} features and ${labels.length} labels; expected ${schema.features.length} and ${rows}`,
    );
  }
  labels.forEach((label, row) => {
    if (label !== 0 && label !== 1) fail(`row ${row}: label ${label}; expected 0 or 1`);
  });
  schema.features.forEach((feature, i) => {
    const column = ids[i] as Int32Array;
    if (column.length !== rows)
      fail(`'${feature.name}' has ${column.length} rows; expected ${rows}`);
    column.forEach((id, row) => {
      if (id < 0 || id >= feature.size) {
        fail(`'${feature.name}', row ${row}: id ${id}; expected 0 to ${feature.size - 1}`);
      }
    });
  });
}
