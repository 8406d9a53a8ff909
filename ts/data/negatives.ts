import { ConfigError } from '../errors.js';
import { suggest } from '../nearest.js';
import { atOnce } from '../turns.js';
import { type Codes, encode, groupRows } from './codes.js';
import { type RawColumn, takeRows } from './columns.js';
import { Distinct } from './distinct.js';
import { type Numbered, Numbering } from './numbering.js';
import type { ResolvedFeature, ResolvedNegatives } from './options.js';
import type { Random } from './random.js';
import type { Table } from './table.js';
import { splitNames } from './types.js';

/** Interactions of one domain: rows, their users and items as codes, and the part of each. */
interface Positives extends Pairs {
  readonly rows: Int32Array;
  readonly parts: Int8Array;
}

/** Users and items of rows, as codes. */
export interface Pairs {
  readonly users: Int32Array;
  readonly items: Int32Array;
}

/** Negatives in their order: the row of the user's positive that each follows, and the item in its place. */
export interface Negatives {
  readonly rows: Int32Array;
  readonly items: Int32Array;
}

class Drawn {
  #rows = new Int32Array(1024);
  #items = new Int32Array(1024);
  #count = 0;

  push(row: number, item: number): void {
    if (this.#count === this.#rows.length) {
      this.#rows = grown(this.#rows);
      this.#items = grown(this.#items);
    }
    this.#rows[this.#count] = row;
    this.#items[this.#count++] = item;
  }

  negatives(): Negatives {
    const own = (values: Int32Array) => values.subarray(0, this.#count);
    return { rows: own(this.#rows), items: own(this.#items) };
  }
}

function grown(values: Int32Array): Int32Array<ArrayBuffer> {
  const more = new Int32Array(2 * values.length);
  more.set(values);
  return more;
}

/** Pairs that are never negatives: each user's items, in ascending order. */
class Known {
  readonly #offsets: Int32Array;
  readonly #items: Int32Array;

  constructor(userCount: number, pairs: readonly Pairs[]) {
    this.#offsets = new Int32Array(userCount + 1);
    for (const { users } of pairs) {
      for (const user of users) this.#offsets[user + 1] = (this.#offsets[user + 1] as number) + 1;
    }
    for (let user = 0; user < userCount; user++) {
      this.#offsets[user + 1] =
        (this.#offsets[user + 1] as number) + (this.#offsets[user] as number);
    }
    this.#items = new Int32Array(this.#offsets[userCount] as number);
    const next = this.#offsets.slice();
    for (const { users, items } of pairs) {
      users.forEach((user, i) => {
        const at = next[user] as number;
        this.#items[at] = items[i] as number;
        next[user] = at + 1;
      });
    }
    for (let user = 0; user < userCount; user++) {
      this.#items.subarray(this.#offsets[user], this.#offsets[user + 1]).sort();
    }
  }

  has(user: number, item: number): boolean {
    const items = this.#items;
    let [low, high] = [this.#offsets[user] as number, this.#offsets[user + 1] as number];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((items[middle] as number) < item) low = middle + 1;
      else high = middle;
    }
    return low < (this.#offsets[user + 1] as number) && items[low] === item;
  }
}

/** Rows before their values become ids. */
export interface CodedRows {
  readonly domain: Int32Array;
  readonly part: Int8Array;
  readonly label: Float32Array;
  readonly weight: Float32Array | undefined;
  readonly features: readonly RawColumn[];
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
  drawn: Drawn,
): void {
  const all = positives.rows.map((_, i) => i);
  for (let part = 0; part < splitNames.length; part++) {
    const own = all.filter((i) => positives.parts[i] === part);
    const wanted = Math.trunc(own.length / ratio);
    for (let found = 0, attempts = 0; found < wanted && attempts < 50 * wanted; attempts++) {
      const i = own[random.below(own.length)] as number;
      const item = candidates[random.below(candidates.length)] as number;
      if (known.has(positives.users[i] as number, item)) continue;
      drawn.push(positives.rows[i] as number, item);
      found++;
    }
  }
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
  drawn: Drawn,
  users: Distinct,
): void {
  const { values: own, places } = users.of(positives.users);
  const groups = groupRows(places, own.length);
  for (const [place, user] of own.entries()) {
    const rows = groups.rows
      .subarray(groups.offsets[place], groups.offsets[place + 1])
      .map((i) => positives.rows[i] as number);
    const free = candidates.filter((item) => !known.has(user, item));
    const wanted = Math.min(free.length, Math.trunc(rows.length / ratio));
    random.shuffle(rows);
    for (let i = 0; i < wanted; i++) {
      const j = i + random.below(free.length - i);
      const item = free[j] as number;
      free[j] = free[i] as number;
      drawn.push(rows[i % rows.length] as number, item);
    }
  }
}

/** What negatives are drawn from, all of it positive: rows, of which some pairs may be known besides. */
export interface Interactions extends Pairs {
  readonly domain: Int32Array;
  readonly part: Int8Array;
  readonly userCount: number;
  readonly itemCount: number;
  readonly excluded: readonly Pairs[];
}

/** Draws negatives domain by domain. Throws ConfigError for a range that is none. */
export function drawNegatives(
  { domain, part, users, items, userCount, itemCount, excluded }: Interactions,
  domains: number,
  rule: ResolvedNegatives,
  random: Random,
): Negatives {
  const [low, high] = typeof rule.ratio === 'number' ? [rule.ratio, rule.ratio] : rule.ratio;
  if (low > high) {
    throw new ConfigError(`data.negatives.ratio: [${low}, ${high}]; expected the lower one first`);
  }
  const known = new Known(userCount, [{ users, items }, ...excluded]);
  const everything = Int32Array.from({ length: itemCount }, (_, item) => item);
  const draw = rule.method === 'per-user' ? perUser : byPositive;
  const differentUsers = new Distinct(userCount);
  const differentItems = new Distinct(itemCount);
  const groups = groupRows(domain, domains);
  const drawn = new Drawn();
  for (let d = 0; d < domains; d++) {
    const own = groups.rows.subarray(groups.offsets[d], groups.offsets[d + 1]);
    const positives: Positives = {
      rows: own,
      users: own.map((row) => users[row] as number),
      items: own.map((row) => items[row] as number),
      parts: Int8Array.from(own, (row) => part[row] as number),
    };
    const candidates = rule.from === 'all' ? everything : differentItems.of(positives.items).values;
    // Two digits, as in the papers, where that leaves the range.
    const drawnRatio = low + (high - low) * random.next();
    const rounded = Math.round(drawnRatio * 100) / 100;
    const ratio = low < high && rounded >= low && rounded <= high ? rounded : drawnRatio;
    draw(positives, candidates, known, ratio, random, drawn, differentUsers);
  }
  return drawn.negatives();
}

/** Throws ConfigError where the rule's columns are none of the features, or of another kind. */
export function requireColumns(
  rule: ResolvedNegatives,
  features: readonly { readonly name: string; readonly kind: string }[],
): void {
  const names = features.map(({ name }) => name);
  const kindOf = (name: string): string => {
    const at = names.indexOf(name);
    if (at >= 0) return features[at]?.kind as string;
    throw new ConfigError(`data.negatives: '${name}'${suggest(name, names)}`);
  };
  for (const name of rule.itemFeatures) {
    kindOf(name);
    if (name !== rule.user) continue;
    throw new ConfigError(`data.negatives.itemFeatures: '${name}' is the user's column`);
  }
  if (rule.user === rule.item) {
    throw new ConfigError(
      `data.negatives.item: '${rule.item}'; expected another column than the user's`,
    );
  }
  for (const name of [rule.user, rule.item]) {
    const kind = kindOf(name);
    if (kind === 'categorical') continue;
    throw new ConfigError(`data.negatives: '${name}' is ${kind}; expected a categorical`);
  }
}

/** Appends negatives, with label 0, to rows that are all positives. Throws ConfigError. */
export function withNegatives(
  rows: CodedRows,
  domains: number,
  rule: ResolvedNegatives,
  features: readonly ResolvedFeature[],
  excluded: Table | undefined,
  random: Random,
): CodedRows {
  requireColumns(rule, features);
  const names = features.map(({ name }) => name);
  const columnOf = (name: string) => rows.features[names.indexOf(name)] as Codes & RawColumn;
  const [users, items] = [columnOf(rule.user), columnOf(rule.item)];
  const over = ({ names: known }: Codes): Numbered => atOnce(Numbering.over(known));
  const drawn = drawNegatives(
    {
      ...rows,
      users: users.codes,
      items: items.codes,
      userCount: users.names.length,
      itemCount: items.names.length,
      excluded: excluded ? [new PairCodes(rule, over(users), over(items)).in(excluded)] : [],
    },
    domains,
    rule,
    random,
  );
  const itemColumns = [rule.item, ...rule.itemFeatures].map((name) => names.indexOf(name));
  return append(rows, drawn, items, itemColumns);
}

/** Finds the codes of pairs in other rows. */
export class PairCodes {
  constructor(
    private readonly rule: ResolvedNegatives,
    private readonly users: Numbered,
    private readonly items: Numbered,
  ) {}

  /** Of rows whose user and item both have codes. Throws DataError. */
  in(table: Table): Pairs {
    const codesIn = (column: string, known: Numbered): Int32Array => {
      const own = encode(table, column);
      const translated = own.names.map((name) => known.find(name));
      return own.codes.map((code) => translated[code] as number);
    };
    const items = codesIn(this.rule.item, this.items);
    const users = codesIn(this.rule.user, this.users);
    const both = (_: number, row: number) =>
      (users[row] as number) >= 0 && (items[row] as number) >= 0;
    return { users: users.filter(both), items: items.filter(both) };
  }
}

/** A negative is its positive's row with what belongs to the item as in the first row of its own. */
function append(
  rows: CodedRows,
  drawn: Negatives,
  items: Codes,
  itemColumns: readonly number[],
): CodedRows {
  const firstRow = new Int32Array(items.names.length).fill(-1);
  items.codes.forEach((item, row) => {
    if (firstRow[item] === -1) firstRow[item] = row;
  });
  const before = rows.label.length;
  const withDrawn = (rowOf: (negative: number) => number): Int32Array =>
    Int32Array.from({ length: before + drawn.rows.length }, (_, i) =>
      i < before ? i : rowOf(i - before),
    );
  const contexts = withDrawn((i) => drawn.rows[i] as number);
  const owners = withDrawn((i) => firstRow[drawn.items[i] as number] as number);
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
