import { ConfigError } from '../errors.js';
import { suggest } from '../nearest.js';
import { type Codes, encode, groupRows } from './codes.js';
import { type RawColumn, takeRows } from './columns.js';
import type { ResolvedNegatives } from './options.js';
import type { Random } from './random.js';
import type { Table } from './table.js';
import { splitNames } from './types.js';

/** Interactions of one domain: rows, their users and items as codes, and the part of each. */
interface Positives {
  readonly rows: Int32Array;
  readonly users: Int32Array;
  readonly items: Int32Array;
  readonly parts: Int8Array;
}

/** A negative: the row of the user's positive that it follows, and the item in its place. */
interface Negative {
  readonly row: number;
  readonly item: number;
}

/** Rows before their values become ids. */
export interface CodedRows {
  readonly domain: Int32Array;
  readonly part: Int8Array;
  readonly label: Float32Array;
  readonly weight: Float32Array | undefined;
  readonly features: readonly RawColumn[];
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

/**
 * Negatives by the user of a random positive of the part and a random item of `candidates`; known
 * pairs are rejected. Drawing the user from the positives keeps activity from leaking the label.
 * Fewer come out when users know nearly everything.
 */
function byPositive(
  positives: Positives,
  candidates: Int32Array,
  known: Known,
  ratio: number,
  random: Random,
): Negative[] {
  const drawn: Negative[] = [];
  const all = positives.rows.map((_, i) => i);
  for (let part = 0; part < splitNames.length; part++) {
    const own = all.filter((i) => positives.parts[i] === part);
    const wanted = Math.trunc(own.length / ratio);
    for (let found = 0, attempts = 0; found < wanted && attempts < 50 * wanted; attempts++) {
      const i = own[random.below(own.length)] as number;
      const item = candidates[random.below(candidates.length)] as number;
      if (known.has(positives.users[i] as number, item)) continue;
      drawn.push({ row: positives.rows[i] as number, item });
      found++;
    }
  }
  return drawn;
}

/**
 * MAMDR's public preparation: for each user int(positives / ratio) items drawn without replacement
 * from the candidates minus the user's known ones; all of them when there are fewer. A negative
 * follows one of the user's positives into its part: parts drawn apart from them would leave users
 * with negatives only in training, and their id would tell the label backwards.
 */
function perUser(
  positives: Positives,
  candidates: Int32Array,
  known: Known,
  ratio: number,
  random: Random,
): Negative[] {
  const drawn: Negative[] = [];
  const own = new Map<number, number[]>();
  positives.users.forEach((user, i) => {
    const rows = own.get(user);
    const row = positives.rows[i] as number;
    if (rows) rows.push(row);
    else own.set(user, [row]);
  });
  for (const [user, rows] of own) {
    const free = candidates.filter((item) => !known.has(user, item));
    const wanted = Math.min(free.length, Math.trunc(rows.length / ratio));
    random.shuffle(rows);
    for (let i = 0; i < wanted; i++) {
      const j = i + random.below(free.length - i);
      const item = free[j] as number;
      free[j] = free[i] as number;
      drawn.push({ row: rows[i % rows.length] as number, item });
    }
  }
  return drawn;
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
  const columnOf = (name: string): RawColumn => {
    const at = names.indexOf(name);
    if (at >= 0) return rows.features[at] as RawColumn;
    throw new ConfigError(`data.negatives: '${name}'${suggest(name, names)}`);
  };
  const featureOf = (name: string): Codes => {
    const column = columnOf(name);
    if (column.kind === 'categorical') return column;
    throw new ConfigError(`data.negatives: '${name}' is ${column.kind}; expected a categorical`);
  };
  for (const name of rule.itemFeatures) {
    columnOf(name);
    if (name !== rule.user) continue;
    throw new ConfigError(`data.negatives.itemFeatures: '${name}' is the user's column`);
  }
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
  const drawn: Negative[] = [];
  for (let d = 0; d < domains; d++) {
    const own = groups.rows.subarray(groups.offsets[d], groups.offsets[d + 1]);
    const positives: Positives = {
      rows: own,
      users: own.map((row) => users.codes[row] as number),
      items: own.map((row) => items.codes[row] as number),
      parts: Int8Array.from(own, (row) => rows.part[row] as number),
    };
    const candidates = rule.from === 'all' ? everything : Int32Array.from(new Set(positives.items));
    // Two digits, as in the papers, where that leaves the range.
    const drawnRatio = low + (high - low) * random.next();
    const rounded = Math.round(drawnRatio * 100) / 100;
    const ratio = low < high && rounded >= low && rounded <= high ? rounded : drawnRatio;
    for (const negative of draw(positives, candidates, known, ratio, random)) drawn.push(negative);
  }
  const itemColumns = [rule.item, ...rule.itemFeatures].map((name) => names.indexOf(name));
  return append(rows, drawn, items, itemColumns);
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

/** A negative is its positive's row with what belongs to the item as in the first row of its own. */
function append(
  rows: CodedRows,
  drawn: readonly Negative[],
  items: Codes,
  itemColumns: readonly number[],
): CodedRows {
  const firstRow = new Int32Array(items.names.length).fill(-1);
  items.codes.forEach((item, row) => {
    if (firstRow[item] === -1) firstRow[item] = row;
  });
  const before = rows.label.length;
  const withDrawn = (rowOf: (negative: Negative) => number): Int32Array =>
    Int32Array.from({ length: before + drawn.length }, (_, i) =>
      i < before ? i : rowOf(drawn[i - before] as Negative),
    );
  const contexts = withDrawn(({ row }) => row);
  const owners = withDrawn(({ item }) => firstRow[item] as number);
  return {
    domain: contexts.map((row) => rows.domain[row] as number),
    part: Int8Array.from(contexts, (row) => rows.part[row] as number),
    label: Float32Array.from(contexts, (row, i) => (i < before ? (rows.label[row] as number) : 0)),
    weight:
      rows.weight &&
      Float32Array.from(contexts, (row) => (rows.weight as Float32Array)[row] as number),
    features: rows.features.map((column, f) =>
      takeRows(column, itemColumns.includes(f) ? owners : contexts),
    ),
  };
}
