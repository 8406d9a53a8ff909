import { encode } from '../codes.js';
import { drawNegatives, PairCodes, type Pairs, requireColumns } from '../negatives.js';
import { Numbering } from '../numbering.js';
import type { ResolvedNegatives, ResolvedRoles } from '../options.js';
import { type Domains, piecesOf } from './pieces.js';
import type { DrawnRow, StagedRows } from './rows.js';

/** Draws negatives among staged rows. Throws DataError, ConfigError. */
export async function drawnFrom(
  staged: StagedRows,
  options: ResolvedRoles,
  rule: ResolvedNegatives,
  domains: Domains,
): Promise<Iterable<DrawnRow>> {
  requireColumns(rule, options.features);
  const { rows, names } = domains;
  const column = () => new Int32Array(rows);
  const [domain, users, items, places] = [column(), column(), column(), column()];
  const part = new Int8Array(rows);
  const known = { users: new Numbering(), items: new Numbering() };
  /** By item: the first row that has it. */
  const firstRow: number[] = [];
  let at = 0;
  for await (const piece of piecesOf(staged, options, domains, [rule.user, rule.item])) {
    const codesIn = (name: string, known: Numbering): Int32Array => {
      const own = encode(piece.table, name);
      const numbers = own.names.map((value) => known.add(value));
      return own.codes.map((code) => numbers[code] as number);
    };
    domain.set(piece.domain, at);
    part.set(piece.part, at);
    users.set(codesIn(rule.user, known.users), at);
    items.set(codesIn(rule.item, known.items), at);
    for (let row = 0; row < piece.table.rows; row++, at++) {
      places[at] = piece.table.number(row) - 1;
      firstRow[items[at] as number] ??= places[at] as number;
    }
  }
  const excluded: Pairs[] = [];
  if (rule.exclude !== undefined) {
    const pairs = new PairCodes(rule, known.users, known.items);
    for await (const piece of staged.query(rule.exclude, [rule.user, rule.item])) {
      excluded.push(pairs.in(piece));
    }
  }
  const drawn = drawNegatives(
    {
      ...{ domain, part, users, items, excluded },
      userCount: known.users.size,
      itemCount: known.items.size,
    },
    names.length,
    rule,
    domains.random,
  );
  function* negatives(): Iterable<DrawnRow> {
    for (const [i, row] of drawn.rows.entries()) {
      const owner = firstRow[drawn.items[i] as number] as number;
      yield [places[row] as number, owner, domain[row] as number, part[row] as number];
    }
  }
  return negatives();
}
