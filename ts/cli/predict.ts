import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { readTable, type Table } from '../data/table.js';
import { CheckpointError, DataError } from '../errors.js';
import { requirePlace, writeFileAtomic } from '../io/atomic.js';
import { cell } from '../io/csv.js';
import { load } from '../io/run-folder.js';
import type { RawValue } from '../serve/scorer.js';

export interface PredictFileOptions {
  /** A CSV, Parquet or JSON Lines file, or - for CSV or JSON Lines from stdin. */
  readonly input: string;
  /** A CSV file, or - for stdout. */
  readonly output: string;
  readonly unknownDomain: 'error' | 'shared';
  readonly overlayBudget?: number;
  readonly signal: AbortSignal;
}

/** Standard input as a table: JSON Lines when it begins with a brace, else CSV. */
async function readStandardInput(signal: AbortSignal): Promise<Table> {
  const content = await buffer(addAbortSignal(signal, process.stdin));
  const extension = content.toString('utf8', 0, 64).trimStart().startsWith('{') ? 'jsonl' : 'csv';
  const path = join(tmpdir(), `polydomain-${randomUUID()}.${extension}`);
  try {
    await writeFile(path, content, { mode: 0o600 }).catch((cause: Error) => {
      throw new CheckpointError(`'${path}' could not be written: ${cause.message}`, { cause });
    });
    return await readTable(path, undefined, 'standard input');
  } finally {
    await rm(path, { force: true });
  }
}

/** Writes the input's domain and features with a column `score`, in the order of the input. */
export async function predictFile(
  run: string,
  { input, output, unknownDomain, overlayBudget, signal }: PredictFileOptions,
): Promise<{ readonly output: string; readonly rows: number }> {
  const predictor = await load(run, { overlayBudget });
  const { domain, features } = predictor.vocabulary.schema;
  const names = [domain, ...features.map((feature) => feature.name)];
  const rows = input === '-' ? await readStandardInput(signal) : await readTable(input);
  const columns = Object.fromEntries(names.map((name) => [name, rows.column(name)])) as Readonly<
    Record<string, ArrayLike<RawValue>>
  >;
  if (output !== '-') await requirePlace(output);
  const scores = await predictor.predict(columns, { unknownDomain });
  if (scores.length !== rows.rows) {
    throw new DataError(`'${input}': ${rows.rows} rows; ${scores.length} scores`);
  }
  const lines = [[...names, 'score'].map(cell).join(',')];
  scores.forEach((score, row) => {
    lines.push([...names.map((name) => cell(columns[name]?.[row])), score].join(','));
  });
  const text = `${lines.join('\n')}\n`;
  if (output === '-') process.stdout.write(text);
  else await writeFileAtomic(output, text);
  return { output, rows: scores.length };
}
