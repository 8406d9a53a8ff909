import { rmdir } from 'node:fs/promises';
import { makeFolder } from '../../io/atomic.js';
import { fillTensors } from '../../io/safetensors.js';
import { requireTrainingRows } from '../check.js';
import { type RawColumn, readColumn } from '../columns.js';
import { rowsPath, writeSchema } from '../folder.js';
import type { ResolvedRoles } from '../options.js';
import { requireLabels, schemaOf } from '../prepare.js';
import { splitNames } from '../types.js';
import type { Counts } from './counts.js';
import { drawnFrom } from './negatives.js';
import { outputOf, type Target } from './output.js';
import { PartWriter } from './part-writer.js';
import { domainsIn, type Piece, piecesOf } from './pieces.js';
import { planOf } from './plan.js';
import { StagedRows } from './rows.js';
import { scan } from './scan.js';
import { writePiece } from './write-piece.js';

/**
 * Prepares the rows of a file or a query straight into a folder: byte for byte what prepare(), where there is a
 * target reencode(), and writeFolder() make of them, with memory for vocabularies, of random parts a byte per row, and
 * of negatives some 30 bytes per positive and 8 per negative. Throws DataError, ConfigError, CheckpointError.
 */
export async function prepareStaged(
  source: string,
  query: string | undefined,
  options: ResolvedRoles,
  folder: string,
  target?: Target,
): Promise<void> {
  requireLabels(options);
  await makeFolder(folder);
  try {
    const staged = await StagedRows.copy(source, query, columnsOf(options), folder);
    try {
      await prepareInto(folder, staged, options, target);
    } finally {
      await staged.close();
    }
  } catch (cause) {
    // Where nothing else was there.
    await rmdir(folder).catch(() => {});
    throw cause;
  }
}

/** The columns of rows that mean something. */
function columnsOf({ domain, label, weight, split, features }: ResolvedRoles): string[] {
  const part = 'column' in split ? split.column : 'time' in split ? split.time : undefined;
  const others = [label, weight, part].filter((column) => column !== undefined);
  return [domain, ...others, ...features.map(({ name }) => name)];
}

async function prepareInto(
  folder: string,
  staged: StagedRows,
  options: ResolvedRoles,
  target: Target | undefined,
): Promise<void> {
  const { features, label, weight, negatives } = options;
  const names = features.map(({ name }) => name);
  const others = [label, weight].filter((column) => column !== undefined);
  const itemColumns = negatives ? [negatives.item, ...negatives.itemFeatures] : [];
  const read = ({ table, item }: Piece): RawColumn[] =>
    features.map((feature) =>
      readColumn(item && itemColumns.includes(feature.name) ? item : table, feature),
    );
  const domains = await domainsIn(staged, options);
  if (negatives) {
    const drawn = await drawnFrom(staged, options, negatives, domains);
    await staged.addNegatives(drawn, [...names, ...others], itemColumns);
  }
  async function* pieces(columns: readonly string[]): AsyncGenerator<Piece> {
    yield* piecesOf(staged, options, domains, columns);
    if (!negatives) return;
    for await (const { context, ...piece } of staged.negatives(columns, itemColumns)) {
      yield { table: context, ...piece };
    }
  }
  const { fitted, rows, listed } = await scan(
    () => pieces(names),
    read,
    features,
    domains.names.length,
    target,
  );
  const own = schemaOf(options, fitted.features, domains.names);
  requireTrainingRows(own, { domainOffsets: rows.offsets(0) });
  const output = outputOf(own, fitted, target);
  const { schema, values, usage } = output.vocabulary;
  const renumbered = (counts: Counts) => counts.renumbered(output.domains, schema.domains.length);
  const plan = planOf(
    schema,
    weight !== undefined,
    renumbered(rows),
    output.columns.map(({ at }) => renumbered(listed[at] as Counts)),
  );
  await fillTensors(rowsPath(folder), plan.shapes, async ({ fd }, beginOf) => {
    const writers = splitNames.map((name, p) => new PartWriter(fd, beginOf, name, p, plan));
    for await (const piece of pieces([...others, ...names])) {
      writePiece(piece, read(piece), options, fitted, output, writers);
    }
    for (const writer of writers) writer.finish();
  });
  await writeSchema(folder, { schema, vocabularies: values, ...(target && { usage }) });
}
