import { existsSync, statSync } from 'node:fs';
import { DataError, LoadError } from '../errors.js';
import { suggest } from '../nearest.js';
import { shown } from '../options.js';

/** Columns of raw values, all of one length. */
export interface Table {
  readonly rows: number;
  /** Where it comes from, at the head of messages; nothing for one in memory. */
  readonly name: string;
  /** Number of a row in the source, from 1. */
  number(row: number): number;
  /** Throws DataError for a name it does not have. */
  column(name: string): ArrayLike<unknown>;
}

// Values of text formats are read as they stand: sniffed types would turn 0.50 into 0.5 and yes into
// true, and ids have to be the same when rows are scored later.
const json = "select columns(*)->>'$' from read_json({path}, maximum_depth = 1, sample_size = -1)";
const readers = new Map([
  ['csv', 'select * from read_csv({path}, all_varchar = true, header = true)'],
  ['parquet', 'select * from read_parquet({path})'],
  ['jsonl', json],
  ['ndjson', json],
]);

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The optional library. Throws LoadError where it is not installed. */
export async function duckdb() {
  try {
    return await import('@duckdb/node-api');
  } catch (cause) {
    throw new LoadError(
      "reading files needs the optional dependency '@duckdb/node-api'; expected it to be installed (npm install @duckdb/node-api)",
      { cause },
    );
  }
}

/** Throws DataError for what DuckDB would take for a pattern, or for rows without columns. */
function requireRows(source: string, shownAs: string): void {
  const stats = statSync(source);
  if (stats.isDirectory()) {
    throw new DataError(
      `'${shownAs}' is a folder; expected a CSV, Parquet or JSON Lines file, or a query`,
    );
  }
  if (stats.isFile() && stats.size === 0) {
    throw new DataError(`'${shownAs}' is empty; expected rows, with the names of their columns`);
  }
}

/**
 * SQL for the rows of a CSV, Parquet or JSON Lines file; of `query`, SQL in which {source} stands for
 * the path (a file or a folder). Throws DataError when the file is missing, empty or of another kind.
 */
export function sqlOf(source: string, query?: string, shownAs = source): string {
  if (!existsSync(source)) {
    throw new DataError(`'${source}' does not exist; expected a CSV, Parquet or JSON Lines file`);
  }
  if (!query) requireRows(source, shownAs);
  if (!query && /[*?[\]]/.test(source)) {
    throw new DataError(
      `'${source}' has a character that stands for others (* ? [ ]); expected a name without, or a query`,
    );
  }
  const extension = source.split('.').at(-1) ?? '';
  const reader = readers.get(extension);
  if (!query && !reader) {
    throw new DataError(
      `'${source}' ends in '.${extension}'; expected .csv, .parquet, .jsonl or .ndjson, or a query`,
    );
  }
  return query
    ? query.replaceAll('{source}', () => source.replaceAll("'", "''"))
    : (reader as string).replace('{path}', () => quoted(source));
}

/**
 * Reads the rows of a file, or of a query, through DuckDB. Throws DataError when the file is missing or
 * cannot be read.
 */
export async function readTable(source: string, query?: string, shownAs = source): Promise<Table> {
  const sql = sqlOf(source, query, shownAs);
  const { DuckDBInstance } = await duckdb();
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const result = await connection.runAndReadAll(sql);
    const names = result.columnNames();
    const columns = result.getColumns();
    return {
      rows: result.currentRowCount,
      name: `'${shownAs}': `,
      number: (row) => row + 1,
      column(name) {
        const index = names.indexOf(name);
        if (index >= 0) return columns[index] ?? [];
        throw new DataError(`'${shownAs}' has no column '${name}'${suggest(name, names)}`);
      },
    };
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`'${shownAs}' could not be read: ${(cause as Error).message}`, { cause });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Throws DataError for a column that is none: one value, say, or a text, which has a length as well. */
export function requireArray(column: string, values: unknown): void {
  const { length } = Object(values) as { readonly length?: unknown };
  if (typeof values === 'object' && Number.isInteger(length)) return;
  throw new DataError(`column '${column}': ${shown(values)}; expected an array of values`);
}

/** Rows of a table, with the numbers that they have there. */
export function subsetOf(table: Table, rows: readonly number[]): Table {
  return {
    rows: rows.length,
    name: table.name,
    number: (row) => table.number(rows[row] as number),
    column(name) {
      const values = table.column(name);
      return rows.map((row) => values[row]);
    },
  };
}

/** A table over arrays. Throws DataError for anything else, and when they differ in length. */
export function tableOf(columns: Readonly<Record<string, ArrayLike<unknown>>>): Table {
  if (typeof columns !== 'object' || columns === null || Array.isArray(columns)) {
    throw new DataError(`columns: ${shown(columns)}; expected an object of arrays, one per column`);
  }
  for (const [name, values] of Object.entries(columns)) requireArray(name, values);
  const names = Object.keys(columns);
  const own = new Map(Object.entries(columns));
  const rows = columns[names[0] ?? '']?.length ?? 0;
  for (const name of names) {
    const { length } = columns[name] as ArrayLike<unknown>;
    if (length !== rows) {
      throw new DataError(
        `column '${name}' has ${length} rows; expected ${rows} as '${names[0]}' has`,
      );
    }
  }
  return {
    rows,
    name: '',
    number: (row) => row + 1,
    column(name) {
      const values = own.get(name);
      if (values) return values;
      throw new DataError(`there is no column '${name}'${suggest(name, names)}`);
    },
  };
}
