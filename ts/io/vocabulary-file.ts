import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { TableUsage, Usage } from '../data/usage.js';
import { CheckpointError } from '../errors.js';
import { parse } from '../options.js';
import { writeFileAtomic } from './atomic.js';

/** Raw values by table of ids, and how training rows used them where that is kept. */
export interface StoredVocabulary {
  readonly values: readonly (readonly string[])[];
  readonly usage?: Usage | undefined;
}

const count = z.int().gte(0);
/** The first line. */
const headSchema = z.strictObject({
  format: z.literal('polydomain-vocabulary'),
  version: z.literal(2),
  /** Values of each table. */
  sizes: z.array(count),
  /** Of the usage; lines have it as well then. */
  generation: count.exactOptional(),
});
/** Each further line: the next values of the first table that is not complete. */
const lineSchema = z.strictObject({
  values: z.array(z.string()).min(1),
  lastSeen: z.array(count).exactOptional(),
  count: z.array(count).exactOptional(),
});

function pathIn(folder: string): string {
  return join(folder, 'vocabulary.jsonl');
}

/** Whether a folder has one; those of the first version kept it elsewhere. */
export function hasVocabulary(folder: string): boolean {
  return existsSync(pathIn(folder));
}

/** Writes vocabulary.jsonl: lines of JSON, so that no string has to hold all values. Throws CheckpointError. */
export async function writeVocabulary(
  folder: string,
  { values, usage }: StoredVocabulary,
  perLine = 4096,
): Promise<void> {
  function* lines(): Generator<unknown> {
    const sizes = values.map(({ length }) => length);
    const generation = usage && { generation: usage.generation };
    yield { format: 'polydomain-vocabulary', version: 2, sizes, ...generation };
    for (const [t, own] of values.entries()) {
      for (let at = 0; at < own.length; at += perLine) {
        const piece = <Value>(column: readonly Value[]) => column.slice(at, at + perLine);
        const { lastSeen, count } = usage?.tables[t] ?? {};
        yield {
          values: piece(own),
          ...(lastSeen && count && { lastSeen: piece(lastSeen), count: piece(count) }),
        };
      }
    }
  }
  function* bytes(): Generator<Uint8Array> {
    for (const line of lines()) yield Buffer.from(`${JSON.stringify(line)}\n`);
  }
  await writeFileAtomic(pathIn(folder), bytes());
}

/** Reads what writeVocabulary() wrote. Throws CheckpointError where it is missing, truncated or foreign. */
export async function readVocabulary(folder: string): Promise<StoredVocabulary> {
  const path = pathIn(folder);
  const lines = linesOf(path);
  try {
    return await parsed(lines);
  } catch (cause) {
    throw new CheckpointError(
      `'${path}' cannot be read (${(cause as Error).message}); expected a vocabulary`,
      { cause },
    );
  } finally {
    // The file is closed where the first line is none.
    await lines.return(undefined);
  }
}

async function parsed(lines: AsyncGenerator<string>): Promise<StoredVocabulary> {
  const first = await lines.next();
  if (first.done) throw new Error('it is empty');
  const { sizes, generation } = parse(headSchema, JSON.parse(first.value), '');
  const values = sizes.map((): string[] => []);
  const tables = sizes.map((): Writable<TableUsage> => ({ lastSeen: [], count: [] }));
  const isFull = (table: number): boolean => values[table]?.length === sizes[table];
  let table = 0;
  for await (const line of lines) {
    while (table < sizes.length && isFull(table)) table++;
    const own = parse(lineSchema, JSON.parse(line), '');
    const size = own.values.length;
    const [lastSeen = [], count = []] = [own.lastSeen, own.count];
    const used = generation === undefined ? 0 : size;
    if (table === sizes.length || lastSeen.length !== used || count.length !== used) {
      throw new Error('a line has more values than its table, or another usage');
    }
    append(values[table] as string[], own.values);
    append(tables[table]?.lastSeen as number[], lastSeen);
    append(tables[table]?.count as number[], count);
    if ((values[table]?.length as number) > (sizes[table] as number)) {
      throw new Error(`table ${table} has more than ${sizes[table]} values`);
    }
  }
  const short = sizes.findIndex((_, t) => !isFull(t));
  if (short >= 0) {
    throw new Error(`table ${short} has ${values[short]?.length} of ${sizes[short]} values`);
  }
  return { values, ...(generation !== undefined && { usage: { generation, tables } }) };
}

type Writable<Table> = { [Key in keyof Table]: number[] };

function append<Value>(to: Value[], more: readonly Value[]): void {
  for (const value of more) to.push(value);
}

/** The lines of a file, the last one of which has to be complete. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const file = await open(path, 'r');
  try {
    const block = Buffer.allocUnsafe(2 ** 20);
    let rest = Buffer.alloc(0);
    for (;;) {
      const { bytesRead } = await file.read(block, 0, block.length);
      if (bytesRead === 0) break;
      const bytes = Buffer.concat([rest, block.subarray(0, bytesRead)]);
      let begin = 0;
      for (let end = bytes.indexOf('\n'); end >= 0; end = bytes.indexOf('\n', begin)) {
        yield bytes.toString('utf8', begin, end);
        begin = end + 1;
      }
      rest = bytes.subarray(begin);
    }
    if (rest.length > 0) throw new Error('it ends early');
  } finally {
    await file.close();
  }
}
