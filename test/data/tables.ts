import { writeFile } from 'node:fs/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { splitNames } from '../../ts/data/types.js';
import type { Dataset, Split, SplitName } from '../../ts/index.js';

export type Value = string | number | boolean | null | readonly Value[];
/** Raw values by column. */
export type Table = Readonly<Record<string, readonly Value[]>>;

function records(table: Table): Record<string, Value>[] {
  const names = Object.keys(table);
  return (table[names[0] as string] as unknown[]).map((_, row) =>
    Object.fromEntries(names.map((name) => [name, table[name]?.[row] ?? null])),
  );
}

function csvField(value: Value): string {
  const text = String(value ?? '');
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Writes a CSV file, or a JSON Lines file for every other ending. */
export function writeTable(path: string, table: Table): Promise<void> {
  const rows = records(table);
  const lines = path.endsWith('.csv')
    ? [Object.keys(table), ...rows.map(Object.values)].map((row) => row.map(csvField).join(','))
    : rows.map((row) => JSON.stringify(row));
  return writeFile(path, lines.map((line) => `${line}\n`).join(''));
}

/** Writes a Parquet file in which text is text. */
export async function writeParquet(path: string, table: Table): Promise<void> {
  const literal = (value: Value): string => {
    if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]::varchar[]`;
    return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
  };
  const values = records(table).map((row) => `(${Object.values(row).map(literal).join(', ')})`);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(
    `copy (select * from (values ${values.join(', ')}) t(${Object.keys(table).join(', ')}))
     to '${path.replaceAll("'", "''")}' (format parquet)`,
  );
  connection.closeSync();
  instance.closeSync();
}

/** A dataset without its class, to compare. */
export function contentsOf({ schema, vocabulary, train, validation, test }: Dataset) {
  return { schema, values: vocabulary.values, train, validation, test };
}

/** A row with its values as text; undefined for those that the vocabulary does not have. */
export interface Decoded {
  readonly part: SplitName;
  readonly domain: string;
  readonly values: readonly (string | undefined)[];
  readonly label: number;
}

/** All rows: those of training first, by domain. */
export function decode({ schema, vocabulary, ...splits }: Dataset): Decoded[] {
  return splitNames.flatMap((part) => {
    const { domainOffsets, ids, labels }: Split = splits[part];
    return schema.domains.flatMap((domain, d) =>
      Array.from(
        labels.subarray(domainOffsets[d], domainOffsets[d + 1]),
        (label, i): Decoded => ({
          part,
          domain,
          values: ids.map((own, f) => {
            const id = own[(domainOffsets[d] as number) + i] as number;
            return vocabulary.values[f]?.[id - 1];
          }),
          label,
        }),
      ),
    );
  });
}

/** Number of rows of each part in each domain. */
export function sizesOf(data: Dataset): Record<string, number[]> {
  return Object.fromEntries(
    data.schema.domains.map((name, d) => [
      name,
      splitNames.map((part) => {
        const { domainOffsets } = data.split(part);
        return (domainOffsets[d + 1] as number) - (domainOffsets[d] as number);
      }),
    ]),
  );
}
