import { ConfigError, DataError } from '../errors.js';
import { groupRows, text } from './codes.js';
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
  if ('column' in rule) return byColumn(rule.column, table);
  if ('time' in rule) return byTime(rule.time, rule.at, table);
  return atRandom(rule.random, domain, domains, random);
}

function byColumn(column: string, table: Table): Int8Array {
  const names: Readonly<Record<string, number>> = { train: 0, validation: 1, val: 1, test: 2 };
  return Int8Array.from(table.column(column) as ArrayLike<never>, (value, row) => {
    const part = names[String(value)];
    if (part !== undefined) return part;
    throw new DataError(
      `column '${column}', row ${row + 1}: '${value}'; expected train, validation, val or test`,
    );
  });
}

/** Numbers compare as numbers, moments as ISO 8601 text, with a space or a T before the time. */
function byTime(
  column: string,
  at: readonly [string | number, string | number],
  table: Table,
): Int8Array {
  const values = table.column(column);
  const numeric = typeof at[0] === 'number' && typeof at[1] === 'number';
  if (typeof at[0] !== typeof at[1]) {
    throw new ConfigError(`split.at: [${at}]; expected two numbers or two moments`);
  }
  const moment = (value: string): string => value.replace('T', ' ');
  const [first, second] = numeric ? at : at.map((value) => moment(String(value)));
  if (!((first as string) <= (second as string))) {
    throw new ConfigError(`split.at: [${at}]; expected the earlier moment first`);
  }
  return Int8Array.from(values as ArrayLike<never>, (value: unknown, row) => {
    const time = numeric ? Number(text(value, column, row)) : moment(text(value, column, row));
    if (Number.isNaN(time)) {
      throw new DataError(`column '${column}', row ${row + 1}: '${value}'; expected a number`);
    }
    return time < (first as string) ? 0 : time < (second as string) ? 1 : 2;
  });
}

/** Each domain by itself, so that small ones have rows in every part. */
function atRandom(
  shares: readonly [number, number, number],
  domain: Int32Array,
  domains: number,
  random: Random,
): Int8Array {
  const [train, validation, test] = shares;
  if (Math.abs(train + validation + test - 1) > 1e-9) {
    throw new ConfigError(`split.random: [${shares}]; expected three shares that add up to 1`);
  }
  const part = new Int8Array(domain.length);
  const { rows, offsets } = groupRows(domain, domains);
  for (let d = 0; d < domains; d++) {
    const own = rows.subarray(offsets[d], offsets[d + 1]);
    random.shuffle(own);
    // Rounded up, as scikit-learn does; the test part first.
    const held = Math.ceil((1 - train) * own.length - 1e-9);
    const tests = Math.ceil((held * test) / Math.max(validation + test, 1e-9) - 1e-9);
    own.forEach((row, i) => {
      part[row] = i < tests ? 2 : i < held ? 1 : 0;
    });
  }
  return part;
}
