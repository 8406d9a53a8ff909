import { ConfigError } from '../errors.js';
import { suggest } from '../nearest.js';
import { type Codes, encode, groupRows } from './codes.js';
import type { ResolvedNegatives } from './options.js';
import type { Random } from './random.js';
import type { Table } from './table.js';
import { splitNames } from './types.js';

/** Interactions of one domain: codes of users and items, and the part that each belongs to. */
export interface Pairs {
  readonly users: Int32Array;
  readonly items: Int32Array;
  readonly parts: Int8Array;
}

/** Rows before their values become ids. */
export interface CodedRows {
  readonly domain: Int32Array;
  readonly part: Int8Array;
  readonly label: Float32Array;
  readonly features: readonly Codes[];
}

/** Pairs that are never negatives. */
class Known {
  readonly #items = new Map<number, Set<number>>();

  add(user: number, item: number): void {
    const known = this.#items.get(user);
    if (known) known.add(item);
    else this.#items.set(user, new Set([item]));
  }

  has(user: number, item: number): boolean {
    return this.#items.get(user)?.has(item) ?? false;
  }
}

class PairList {
  readonly #users: number[] = [];
  readonly #items: number[] = [];
  readonly #parts: number[] = [];

  add(user: number, item: number, part: number): void {
    this.#users.push(user);
    this.#items.push(item);
    this.#parts.push(part);
  }

  pairs(): Pairs {
    return {
      users: Int32Array.from(this.#users),
      items: Int32Array.from(this.#items),
      parts: Int8Array.from(this.#parts),
    };
  }
}

/**
 * Negatives by the user of a random positive of the part and a random item of `candidates`; known
 * pairs are rejected. Drawing the user from the positives keeps activity from leaking the label.
 * Fewer come out when users know nearly everything.
 */
function byPositive(
  positives: Pairs,
  candidates: Int32Array,
  known: Known,
  ratio: number,
  random: Random,
): Pairs {
  const drawn = new PairList();
  for (let part = 0; part < splitNames.length; part++) {
    const users = positives.users.filter((_, i) => positives.parts[i] === part);
    const wanted = Math.trunc(users.length / ratio);
    for (let found = 0, attempts = 0; found < wanted && attempts < 50 * wanted; attempts++) {
      const user = users[random.below(users.length)] as number;
      const item = candidates[random.below(candidates.length)] as number;
      if (known.has(user, item)) continue;
      drawn.add(user, item, part);
      found++;
    }
  }
  return drawn.pairs();
}

/**
 * MAMDR's public preparation: for each user int(positives / ratio) items drawn without replacement
 * from the candidates minus the user's known ones; all of them when there are fewer. A negative
 * follows one of the user's positives into its part: parts drawn apart from them would leave users
 * with negatives only in training, and their id would tell the label backwards.
 */
function perUser(
  positives: Pairs,
  candidates: Int32Array,
  known: Known,
  ratio: number,
  random: Random,
): Pairs {
  const drawn = new PairList();
  const own = new Map<number, number[]>();
  positives.users.forEach((user, i) => {
    const parts = own.get(user);
    const part = positives.parts[i] as number;
    if (parts) parts.push(part);
    else own.set(user, [part]);
  });
  for (const [user, parts] of own) {
    const free = candidates.filter((item) => !known.has(user, item));
    const wanted = Math.min(free.length, Math.trunc(parts.length / ratio));
    random.shuffle(parts);
    for (let i = 0; i < wanted; i++) {
      const j = i + random.below(free.length - i);
      const item = free[j] as number;
      free[j] = free[i] as number;
      drawn.add(user, item, parts[i % parts.length] as number);
    }
  }
  return drawn.pairs();
}

/** Appends negatives, with label 0, to rows that are all positives. Throws ConfigError. */
export function withNegatives(
  rows: CodedRows,
  domains: number,
  rule: ResolvedNegatives,
  names: readonly string[],
  excluded: Table | undefined,
  random: Random,
): CodedRows {
  if (names.length !== 2) {
    throw new ConfigError(
      `data.negatives: features [${names}]; expected the user's and the item's column only`,
    );
  }
  const featureOf = (name: string): Codes => {
    const at = names.indexOf(name);
    if (at >= 0) return rows.features[at] as Codes;
    throw new ConfigError(`data.negatives: '${name}'${suggest(name, names)}`);
  };
  if (rule.user === rule.item) {
    throw new ConfigError(
      `data.negatives.item: '${rule.item}'; expected another column than the user's`,
    );
  }
  const users = featureOf(rule.user);
  const items = featureOf(rule.item);
  const [low, high] = typeof rule.ratio === 'number' ? [rule.ratio, rule.ratio] : rule.ratio;
  if (low > high) {
    throw new ConfigError(`data.negatives.ratio: [${low}, ${high}]; expected the lower one first`);
  }
  const known = new Known();
  users.codes.forEach((user, row) => {
    known.add(user, items.codes[row] as number);
  });
  if (excluded) exclude(excluded, rule, users, items, known);
  const everything = Int32Array.from(items.names.keys());
  const draw = rule.method === 'per-user' ? perUser : byPositive;
  const groups = groupRows(rows.domain, domains);
  const drawn: Pairs[] = [];
  for (let d = 0; d < domains; d++) {
    const own = groups.rows.subarray(groups.offsets[d], groups.offsets[d + 1]);
    const positives: Pairs = {
      users: own.map((row) => users.codes[row] as number),
      items: own.map((row) => items.codes[row] as number),
      parts: Int8Array.from(own, (row) => rows.part[row] as number),
    };
    const candidates = rule.from === 'all' ? everything : Int32Array.from(new Set(positives.items));
    // Two digits, as in the papers, where that leaves the range.
    const drawnRatio = low + (high - low) * random.next();
    const rounded = Math.round(drawnRatio * 100) / 100;
    const ratio = low < high && rounded >= low && rounded <= high ? rounded : drawnRatio;
    drawn.push(draw(positives, candidates, known, ratio, random));
  }
  return append(rows, drawn, names.indexOf(rule.user));
}

function exclude(
  table: Table,
  rule: ResolvedNegatives,
  users: Codes,
  items: Codes,
  known: Known,
): void {
  const codesIn = (column: string, codes: Codes): Int32Array => {
    const codeOf = new Map(codes.names.map((name, code) => [name, code]));
    const own = encode(table, column);
    const translated = own.names.map((name) => codeOf.get(name) ?? -1);
    return own.codes.map((code) => translated[code] as number);
  };
  const itemCodes = codesIn(rule.item, items);
  codesIn(rule.user, users).forEach((user, row) => {
    const item = itemCodes[row] as number;
    if (user >= 0 && item >= 0) known.add(user, item);
  });
}

function append(rows: CodedRows, drawn: readonly Pairs[], userFeature: number): CodedRows {
  const before = rows.label.length;
  const total = drawn.reduce((sum, pairs) => sum + pairs.users.length, before);
  const grown = <Values extends Int32Array | Int8Array | Float32Array>(
    values: Values,
    added: (pairs: Pairs, domain: number) => Values | number,
  ): Values => {
    const all = new (values.constructor as new (length: number) => Values)(total);
    all.set(values);
    let at = before;
    drawn.forEach((pairs, d) => {
      const own = added(pairs, d);
      if (typeof own === 'number') all.fill(own, at, at + pairs.users.length);
      else all.set(own, at);
      at += pairs.users.length;
    });
    return all;
  };
  return {
    domain: grown(rows.domain, (_, d) => d),
    part: grown(rows.part, (pairs) => pairs.parts),
    label: grown(rows.label, () => 0),
    features: rows.features.map(({ codes, names }, i) => ({
      names,
      codes: grown(codes, (pairs) => (i === userFeature ? pairs.users : pairs.items)),
    })),
  };
}
