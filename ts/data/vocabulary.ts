import { DataError } from '../errors.js';
import { suggest } from '../nearest.js';
import type { Schema } from './types.js';

/** How raw values become ids: of domains and of features. */
export class Vocabulary {
  readonly #domains: ReadonlyMap<string, number>;
  #lookups: Map<string, number>[] | undefined;

  constructor(
    readonly schema: Schema,
    /** Per feature: the raw values of ids 1, 2, ...; 0 is everything else. */
    readonly values: readonly (readonly string[])[],
  ) {
    this.#domains = new Map(schema.domains.map((name, d) => [name, d]));
  }

  /** The index of a domain. Throws DataError when training has not seen it. */
  domain(name: string): number {
    const index = this.#domains.get(name);
    if (index !== undefined) return index;
    throw new DataError(`domain '${name}'${suggest(name, this.schema.domains)}`);
  }

  /** Whether training has seen a domain. */
  hasDomain(name: string): boolean {
    return this.#domains.has(name);
  }

  /** The id of a raw value of feature `feature`; 0 when training has not seen it. */
  encode(feature: number, value: string | number): number {
    this.#lookups ??= this.values.map((known) => new Map(known.map((name, i) => [name, i + 1])));
    return this.#lookups[feature]?.get(String(value)) ?? 0;
  }
}
