import { ConfigError } from '../errors.js';
import { badValue, groupRows, text } from './codes.js';
import type { SplitRule } from './options.js';
import type { Random } from './random.js';
import type { Table } from './table.js';

/** Index of each row's part: 0 training, 1 validation, 2 test. Throws DataError, ConfigError. */
export function partsOf(
  rule: SplitRule,
  table: Table,
  domain: Int32Array,
  domains: number,
  random: Random,
): Int8Array {
  if (!('random' in rule)) return toldParts(rule, table);
  const part = new Int8Array(domain.length);
  const { rows, offsets } = groupRows(domain, domains);
  // Each domain by itself, so that small ones have test rows too.
  for (let d = 0; d < domains; d++) {
    const own = rows.subarray(offsets[d], offsets[d + 1]);
    const parts = randomParts(rule.random, own.length, random);
    own.forEach((row, i) => {
      part[row] = parts[i] as number;
    });
  }
  return part;
}

type RandomRule = Extract<SplitRule, { random: unknown }>;

/** The parts that columns of the rows tell. Throws DataError, ConfigError. */
export function toldParts(rule: Exclude<SplitRule, RandomRule>, table: Table): Int8Array {
  return 'column' in rule ? byColumn(rule.column, table) : byTime(rule.time, rule.at, table);
}

function byColumn(column: string, table: Table): Int8Array {
  const names = new Map([
    ['train', 0],
    ['validation', 1],
    ['val', 1],
    ['test', 2],
  ]);
  return Int8Array.from(table.column(column) as ArrayLike<never>, (value, row) => {
    const part = names.get(String(value));
    if (part !== undefined) return part;
    throw badValue(table, column, row, value, 'train, validation, val or test');
  });
}

/** A moment in ISO 8601 in the one form in which moments compare as text; undefined for other text. */
function moment(value: string): string | undefined {
  const parts = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?Z?)?$/.exec(value);
  if (!parts) return undefined;
  const [, date, minutes = '00:00', seconds = ':00'] = parts;
  return `${date} ${minutes}${seconds.replace(/\.0+$/, '')}`;
}

/** Numbers compare as numbers, moments as text. */
function byTime(
  column: string,
  at: readonly [string | number, string | number],
  table: Table,
): Int8Array {
  const values = table.column(column);
  const numeric = typeof at[0] === 'number' && typeof at[1] === 'number';
  if (typeof at[0] !== typeof at[1]) {
    throw new ConfigError(`data.split.at: [${at}]; expected two numbers or two moments`);
  }
  const [first, second] = numeric ? at : at.map((value) => moment(String(value)));
  if (first === undefined || second === undefined) {
    throw new ConfigError(`data.split.at: [${at}]; expected moments in ISO 8601, in UTC`);
  }
  if (!(first <= second)) {
    throw new ConfigError(`data.split.at: [${at}]; expected the earlier moment first`);
  }
  return Int8Array.from(values as ArrayLike<never>, (value: unknown, row) => {
    const own = text(value, table, column, row);
    const time = numeric ? Number(own) : moment(own);
    if (Number.isNaN(time)) throw badValue(table, column, row, value, 'a number');
    if (time === undefined)
      throw badValue(table, column, row, value, 'a moment in ISO 8601, in UTC');
    if (!numeric && (typeof value === 'number' || typeof value === 'bigint')) {
      throw badValue(
        table,
        column,
        row,
        value,
        `a moment such as '${at[0]}', or split.at in numbers`,
      );
    }
    return time < first ? 0 : time < second ? 1 : 2;
  });
}

/** The parts of a domain's `count` rows, in their order. Throws ConfigError. */
export function randomParts(
  shares: RandomRule['random'],
  count: number,
  random: Random,
): Int8Array {
  const [train, validation, test] = shares;
  if (Math.abs(train + validation + test - 1) > 1e-9) {
    throw new ConfigError(`data.split.random: [${shares}]; expected three shares that add up to 1`);
  }
  // Rounded up, as scikit-learn does; the test part first.
  const held = Math.ceil((1 - train) * count - 1e-9);
  const tests = Math.ceil((held * test) / Math.max(validation + test, 1e-9) - 1e-9);
  // The parts in the order of shuffled rows, which takes less memory than to shuffle the rows' numbers.
  const part = new Int8Array(count).fill(1, tests, held).fill(2, 0, tests);
  random.unshuffle(part);
  return part;
}
