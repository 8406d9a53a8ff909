import { text } from '../codes.js';
import { Numbering } from '../numbering.js';
import type { ResolvedRoles } from '../options.js';
import { randomParts, toldParts } from '../parts.js';
import { domainsOf } from '../prepare.js';
import { Random } from '../random.js';
import { subsetOf, type Table } from '../table.js';
import type { StagedRows } from './rows.js';

/** Some of the rows of domains that are kept, with the domain and the part of each. */
export interface Piece {
  readonly table: Table;
  readonly domain: Int32Array;
  readonly part: Int8Array;
  /** Of negatives: what belongs to their items. */
  readonly item?: Table;
}

/** Domains that are kept, by name, and of random parts those of their rows. */
export interface Domains {
  readonly names: readonly string[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly parts: readonly Int8Array[] | undefined;
  /** Rows of all of them. */
  readonly rows: number;
  /** For what is drawn after the parts. */
  readonly random: Random;
}

/** Throws DataError, ConfigError. */
export async function domainsIn(
  staged: StagedRows,
  { domain: column, minRows, split, seed }: ResolvedRoles,
): Promise<Domains> {
  const found = new Numbering();
  const counts: number[] = [];
  for await (const piece of staged.pieces([column])) {
    const values = piece.column(column);
    for (let row = 0; row < piece.rows; row++) {
      const d = found.add(text(values[row], piece, column, row));
      counts[d] = (counts[d] ?? 0) + 1;
    }
  }
  const names = domainsOf(found.values, counts, column, minRows);
  const rowsOf = names.map((name) => counts[found.find(name)] as number);
  const random = new Random(seed);
  const parts =
    'random' in split ? rowsOf.map((own) => randomParts(split.random, own, random)) : undefined;
  const rows = rowsOf.reduce((sum, own) => sum + own, 0);
  return { names, indexOf: new Map(names.map((name, d) => [name, d])), parts, rows, random };
}

/** The rows as they were staged, with these columns. Throws DataError, ConfigError. */
export async function* piecesOf(
  staged: StagedRows,
  { domain: column, split }: ResolvedRoles,
  { names, indexOf, parts }: Domains,
  columns: readonly string[],
): AsyncGenerator<Piece> {
  const told = 'column' in split ? [split.column] : 'time' in split ? [split.time] : [];
  /** Rows of each domain that have come before. */
  const before = new Int32Array(names.length);
  for await (const piece of staged.pieces([column, ...told, ...columns])) {
    const kept: number[] = [];
    const domains: number[] = [];
    const values = piece.column(column);
    for (let row = 0; row < piece.rows; row++) {
      const domain = indexOf.get(text(values[row], piece, column, row));
      if (domain === undefined) continue;
      kept.push(row);
      domains.push(domain);
    }
    const table = kept.length === piece.rows ? piece : subsetOf(piece, kept);
    const domain = Int32Array.from(domains);
    const part =
      'random' in split
        ? Int8Array.from(domain, (d) => {
            const place = before[d] as number;
            before[d] = place + 1;
            return parts?.[d]?.[place] as number;
          })
        : toldParts(split, table);
    yield { table, domain, part };
  }
}
