import { isDeepStrictEqual } from 'node:util';
import { ConfigError, DataError } from '../errors.js';
import { suggest } from '../nearest.js';
import { shown } from '../options.js';
import { atOnce, type Turns } from '../turns.js';
import { quoted } from './codes.js';
import { pairsOf } from './columns.js';
import { hasIds, idTables, tableOf } from './features.js';
import { type Numbered, Numbering } from './numbering.js';
import {
  bucketOf,
  categoryExpected,
  listExpected,
  listOf,
  numberExpected,
  numberOf,
  textOf,
} from './raw.js';
import { requireArray } from './table.js';
import type { Feature, Schema } from './types.js';
import type { Usage } from './usage.js';

/** How raw values become ids: of domains and of features. */
export class Vocabulary {
  readonly #domains: ReadonlyMap<string, number>;
  /** Of each feature the place of its vocabulary. */
  readonly #tables: readonly number[];
  #lookups: Numbered[] | undefined;
  /** @internal What decides which ids go when it continues (see Dataset.continuing). */
  readonly usage: Usage;

  constructor(
    readonly schema: Schema,
    /** Per table of ids (idTables): the raw values of ids 1, 2, ...; 0 is everything else. */
    readonly values: readonly (readonly string[])[],
    /** Of a vocabulary that does not know, all ids were seen once in the first data set. */
    usage?: Usage,
  ) {
    this.usage = usage ?? {
      generation: 0,
      tables: values.map((known) => ({
        lastSeen: known.map(() => 0),
        count: known.map(() => 1),
      })),
    };
    this.#domains = new Map(schema.domains.map((name, d) => [name, d]));
    const tables = idTables(schema).map(({ name }) => name);
    this.#tables = schema.features.map((feature) =>
      hasIds(feature) ? tables.indexOf(tableOf(feature)) : -1,
    );
  }

  /** Whether ids mean the same in both. */
  equals(other: Vocabulary): boolean {
    const { schema, values } = Object(other) as Vocabulary;
    return isDeepStrictEqual([this.schema, this.values], [schema, values]);
  }

  /** The index of a domain. Throws DataError when training has not seen it. */
  domain(name: string): number {
    const index = this.#domains.get(name);
    if (index !== undefined) return index;
    const known = this.schema.domains;
    if (typeof name === 'string') throw new DataError(`domain '${name}'${suggest(name, known)}`);
    throw new DataError(`domain: ${shown(name)}; expected the name of one, such as '${known[0]}'`);
  }

  /** Whether training has seen a domain. */
  hasDomain(name: string): boolean {
    return this.#domains.has(name);
  }

  /** The raw values of a feature's ids from 1; nothing where ids are hashed or data came without. Throws ConfigError. */
  valuesOf(feature: number): readonly string[] {
    this.#feature(feature);
    return this.values[this.#tables[feature] as number] ?? [];
  }

  /** @internal Makes ready for encode(), which does it at once when it is first called. */
  *index(): Turns<void> {
    this.#lookups ??= yield* this.#indexed();
  }

  *#indexed(): Turns<Numbered[]> {
    const lookups: Numbered[] = [];
    for (const known of this.values) lookups.push(yield* Numbering.over(known));
    return lookups;
  }

  /** Throws ConfigError for what is no index of a feature. */
  #feature(feature: number): Feature {
    const own = typeof feature === 'number' ? this.schema.features[feature] : undefined;
    if (own) return own;
    throw new ConfigError(
      `feature: ${shown(feature)}; expected its place among ${this.schema.features.length}, from 0`,
    );
  }

  /**
   * The id of a raw value of feature `feature`; 0 when training has not seen it. Throws ConfigError for a feature
   * without ids, and DataError for a value that is none.
   */
  encode(feature: number, value: string | number): number {
    const own = this.#feature(feature);
    const text = typeof value === 'string' ? value : textOf(value);
    if (own.kind === 'numeric')
      throw new ConfigError(`feature '${own.name}' is numeric; expected ids`);
    if (text === undefined) {
      throw new DataError(`'${own.name}' is ${quoted(value)}; expected ${categoryExpected}`);
    }
    if (own.hashed) return bucketOf(text, own.size);
    this.#lookups ??= atOnce(this.#indexed());
    return (this.#lookups[this.#tables[feature] as number] as Numbered).find(text) + 1;
  }

  /**
   * Raw values of feature `feature` as a program's column: ids [rows]; of a numeric feature its
   * standardised value and missing flag [rows, 2]; of a multi-valued one ids [rows, width], filled
   * up with -1. Throws DataError with the row of a value that does not fit.
   */
  column(feature: number, raw: ArrayLike<unknown>): Int32Array | Float32Array {
    const own = this.#feature(feature);
    requireArray(own.name, raw);
    const bad = (row: number, expected: string): DataError =>
      new DataError(`row ${row}: '${own.name}' is ${quoted(raw[row])}; expected ${expected}`);
    if (own.kind === 'categorical') {
      const ids = new Int32Array(raw.length);
      for (let row = 0; row < ids.length; row++) {
        const text = textOf(raw[row]);
        if (text === undefined) throw bad(row, categoryExpected);
        ids[row] = this.encode(feature, text);
      }
      return ids;
    }
    if (own.kind === 'numeric') {
      const values = Float64Array.from(raw as ArrayLike<never>, (value: unknown, row) => {
        const number = numberOf(value);
        if (number !== undefined) return number;
        throw bad(row, numberExpected);
      });
      return pairsOf(values, own, (row) => bad(row, numberExpected));
    }
    const ids = new Int32Array(raw.length * own.width).fill(-1);
    for (let row = 0; row < raw.length; row++) {
      const list = listOf(raw[row], own.separator);
      if (!list) throw bad(row, listExpected(own.separator));
      list.slice(0, own.width).forEach((value, i) => {
        ids[row * own.width + i] = this.encode(feature, value);
      });
    }
    return ids;
  }
}
