import { rmdir } from 'node:fs/promises';
import { DataError } from '../errors.js';
import { makeFolder } from '../io/atomic.js';
import { fillTensors } from '../io/safetensors.js';
import { writeAtSync } from '../io/write-at.js';
import { requireTrainingRows } from './check.js';
import { encode, text } from './codes.js';
import { FeatureFit, type Fitted, pairsOf, type RawColumn, readColumn } from './columns.js';
import type { NewData } from './continued.js';
import { ofKind } from './features.js';
import { rowsPath, writeSchema } from './folder.js';
import { GroupedColumn } from './grouped-column.js';
import { labelsOf, weightsOf } from './labels.js';
import { drawNegatives, PairCodes, type Pairs, requireColumns } from './negatives.js';
import { Numbering } from './numbering.js';
import type { ResolvedNegatives, ResolvedRoles } from './options.js';
import { randomParts, toldParts } from './parts.js';
import { domainsOf, requireLabels, schemaOf, tooLarge } from './prepare.js';
import { Random } from './random.js';
import { restandardised, type Translation, translationsOf } from './reencode.js';
import { StagedRows } from './staged.js';
import { subsetOf, type Table } from './table.js';
import {
  type Feature,
  type NumericFeature,
  type Schema,
  type SplitName,
  splitNames,
} from './types.js';
import { Vocabulary } from './vocabulary.js';

/** Rows of domains that are kept, with the domain and the part of each. */
interface Piece {
  readonly table: Table;
  readonly domain: Int32Array;
  readonly part: Int8Array;
  /** Of negatives: what belongs to their items. */
  readonly item?: Table;
}

/** Domains by name, and of random parts those of their rows. */
interface Domains {
  readonly names: readonly string[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly parts: readonly Int8Array[] | undefined;
  /** Rows of all of them. */
  readonly rows: number;
  /** For what is drawn after the parts. */
  readonly random: Random;
}

/** Another vocabulary than the rows' own, whose ids they get. */
export interface Target {
  vocabularyOf(own: NewData): Vocabulary;
  /** Values that a row of a multi-valued feature has at most there. */
  widthOf(feature: string): number;
}

/** By part and domain. */
type Counts = readonly Float64Array[];

/** What fits Int32Arrays of offsets. */
const mostValues = 2 ** 31 - 1;
/** Values in memory on their way to the file, all columns together. */
const buffered = 2 ** 23;

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
    await prepareInto(folder, source, query, options, target);
  } catch (cause) {
    // Where nothing else was there.
    await rmdir(folder).catch(() => {});
    throw cause;
  }
}

async function prepareInto(
  folder: string,
  source: string,
  query: string | undefined,
  options: ResolvedRoles,
  target: Target | undefined,
): Promise<void> {
  const staged = await StagedRows.copy(source, query, folder);
  try {
    const domains = await domainsIn(staged, options);
    const fit = new FeatureFit(options.features, target !== undefined);
    const names = options.features.map(({ name }) => name);
    const rows = counts(domains);
    const { label, weight, negatives } = options;
    const itemColumns = negatives ? [negatives.item, ...negatives.itemFeatures] : [];
    const read = ({ table, item }: Piece): RawColumn[] =>
      options.features.map((feature) =>
        readColumn(item && itemColumns.includes(feature.name) ? item : table, feature),
      );
    const others = [label, weight].filter((column) => column !== undefined);
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
    for await (const piece of pieces(names)) {
      fit.add(read(piece), (row) => piece.part[row] === 0);
      piece.domain.forEach((domain, row) => {
        increase(rows, piece.part[row] as number, domain, 1);
      });
    }
    const listed = options.features.map(() => counts(domains));
    if (options.features.some(({ kind }) => kind !== 'categorical')) {
      for await (const piece of pieces(names)) {
        const columns = read(piece);
        fit.measure(columns, (row) => piece.part[row] === 0);
        columns.forEach((column, f) => {
          if (column.kind !== 'multi-valued') return;
          const width = Math.min(fit.width(f), target?.widthOf(names[f] as string) ?? fit.width(f));
          piece.domain.forEach((domain, row) => {
            const size = Math.min(width, sizeOf(column.offsets, row));
            increase(listed[f] as Counts, piece.part[row] as number, domain, size);
          });
        });
      }
    }
    const fitted = fit.fitted();
    const own = schemaOf(options, fitted.features, domains.names);
    requireTrainingRows(own, { domainOffsets: offsetsOf(rows[0] as Float64Array) });
    const output = outputOf(own, fitted, target);
    const { schema, values, usage } = output.vocabulary;
    const moved = (of: Counts): Counts => movedCounts(of, output);
    const plan = planOf(
      schema,
      options,
      moved(rows),
      output.columns.map(({ at }) => moved(listed[at] as Counts)),
    );
    await fillTensors(rowsPath(folder), plan.shapes, async ({ fd }, beginOf) => {
      const writers = splitNames.map((name, p) => new PartWriter(fd, beginOf, name, p, plan));
      for await (const piece of pieces([...others, ...names])) {
        writePiece(piece, read(piece), options, fitted, output, writers);
      }
      for (const writer of writers) writer.finish();
    });
    await writeSchema(folder, { schema, vocabularies: values, ...(target && { usage }) });
  } finally {
    await staged.close();
  }
}

/** What the rows become. */
interface Output {
  readonly vocabulary: Vocabulary;
  /** By feature of the vocabulary. */
  readonly columns: readonly Translation[];
  /** Of each domain of the rows its index in the vocabulary. */
  readonly domains: Int32Array;
}

function outputOf(schema: Schema, { vocabularies, counts }: Fitted, target?: Target): Output {
  // Rows tell how they use their own ids when they are opened.
  const own = new Vocabulary(schema, vocabularies, { generation: 0, tables: [] });
  if (!target) {
    const columns = schema.features.map((feature, at) => ({ at, own: feature, target: feature }));
    return { vocabulary: own, columns, domains: Int32Array.from(schema.domains.keys()) };
  }
  const vocabulary = target.vocabularyOf({ schema, values: vocabularies, counts });
  const domains = Int32Array.from(schema.domains, (name) => vocabulary.domain(name));
  return { vocabulary, columns: translationsOf(own, vocabulary), domains };
}

function movedCounts(counts: Counts, { vocabulary, domains }: Output): Counts {
  return counts.map((own) => {
    const moved = new Float64Array(vocabulary.schema.domains.length);
    own.forEach((count, d) => {
      moved[domains[d] as number] = count;
    });
    return moved;
  });
}

function counts({ names }: Domains): Counts {
  return splitNames.map(() => new Float64Array(names.length));
}

function increase(of: Counts, part: number, domain: number, by: number): void {
  const own = of[part] as Float64Array;
  own[domain] = (own[domain] as number) + by;
}

function sizeOf(offsets: Int32Array, row: number): number {
  return (offsets[row + 1] as number) - (offsets[row] as number);
}

async function domainsIn(
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

/** Negatives as StagedRows.addNegatives() takes them. Throws DataError, ConfigError. */
async function drawnFrom(
  staged: StagedRows,
  options: ResolvedRoles,
  rule: ResolvedNegatives,
  domains: Domains,
): Promise<Iterable<readonly [context: number, owner: number, domain: number, part: number]>> {
  const { rows, names } = domains;
  requireColumns(rule, options.features);
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
  function* negatives() {
    for (const [i, row] of drawn.rows.entries()) {
      const owner = firstRow[drawn.items[i] as number] as number;
      yield [places[row] as number, owner, domain[row] as number, part[row] as number] as const;
    }
  }
  return negatives();
}

async function* piecesOf(
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

function offsetsOf(rows: Float64Array): Int32Array {
  const offsets = new Int32Array(rows.length + 1);
  let before = 0;
  rows.forEach((count, d) => {
    before += count;
    if (before > mostValues) {
      throw new DataError(`a part has more than ${mostValues} rows, or values of lists`);
    }
    offsets[d + 1] = before;
  });
  return offsets;
}

/** The tensors of the file, in the order of writeFolder(), and where domains' values begin in them. */
interface Plan {
  readonly schema: Schema;
  readonly weighted: boolean;
  readonly shapes: Map<string, { dtype: 'F32' | 'I32'; shape: [number] }>;
  /** By part; of the values of each multi-valued feature alike. */
  readonly rowOffsets: readonly Int32Array[];
  readonly listOffsets: readonly (readonly Int32Array[])[];
  /** Values of a domain and a column that are kept until they are written. */
  readonly capacity: number;
}

function planOf(
  schema: Schema,
  { weight }: ResolvedRoles,
  rows: Counts,
  listed: readonly Counts[],
): Plan {
  const { features, domains } = schema;
  const shapes: Plan['shapes'] = new Map();
  const rowOffsets = rows.map(offsetsOf);
  const lists = listed.filter((_, f) => features[f]?.kind === 'multi-valued');
  const listOffsets = splitNames.map((_, p) =>
    lists.map((own) => offsetsOf(own[p] as Float64Array)),
  );
  splitNames.forEach((name, p) => {
    const count = rowOffsets[p]?.at(-1) as number;
    const add = (column: string, dtype: 'F32' | 'I32', values: number): void => {
      shapes.set(`${name}.${column}`, { dtype, shape: [values] });
    };
    add('domainOffsets', 'I32', domains.length + 1);
    add('labels', 'F32', count);
    ofKind(features, 'categorical').forEach((_, i) => {
      add(`ids.${i}`, 'I32', count);
    });
    ofKind(features, 'numeric').forEach((_, i) => {
      add(`numbers.${i}`, 'F32', 2 * count);
    });
    listOffsets[p]?.forEach((offsets, i) => {
      add(`lists.${i}.offsets`, 'I32', count + 1);
      add(`lists.${i}.ids`, 'I32', offsets.at(-1) as number);
    });
    if (weight !== undefined) add('weights', 'F32', count);
  });
  const capacity = Math.floor(buffered / (shapes.size * domains.length));
  return {
    schema,
    weighted: weight !== undefined,
    shapes,
    rowOffsets,
    listOffsets,
    // Even, as numbers come in pairs.
    capacity: Math.min(2 ** 14, Math.max(16, 2 * (capacity >> 1))),
  };
}

/** The columns of one part. */
class PartWriter {
  readonly #labels: GroupedColumn;
  readonly #weights: GroupedColumn | undefined;
  readonly #ids: readonly GroupedColumn[];
  readonly #numbers: readonly GroupedColumn[];
  readonly #lists: readonly { readonly offsets: GroupedColumn; readonly ids: GroupedColumn }[];

  constructor(
    file: number,
    beginOf: (name: string) => number,
    name: SplitName,
    part: number,
    { schema: { features }, weighted, rowOffsets, listOffsets, capacity }: Plan,
  ) {
    const offsets = rowOffsets[part] as Int32Array;
    const grouped = (
      column: string,
      type: typeof Int32Array | typeof Float32Array,
      starts: ArrayLike<number>,
    ) => new GroupedColumn(file, beginOf(`${name}.${column}`), starts, type, capacity);
    const whole = (column: string, { buffer, byteOffset, byteLength }: Int32Array, from = 0) => {
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      writeAtSync(file, bytes, beginOf(`${name}.${column}`) + 4 * from);
    };
    whole('domainOffsets', offsets);
    this.#labels = grouped('labels', Float32Array, offsets);
    this.#weights = weighted ? grouped('weights', Float32Array, offsets) : undefined;
    this.#ids = ofKind(features, 'categorical').map((_, i) =>
      grouped(`ids.${i}`, Int32Array, offsets),
    );
    this.#numbers = ofKind(features, 'numeric').map((_, i) =>
      grouped(
        `numbers.${i}`,
        Float32Array,
        Float64Array.from(offsets, (start) => 2 * start),
      ),
    );
    this.#lists = (listOffsets[part] ?? []).map((starts, i) => {
      whole(`lists.${i}.offsets`, starts.slice(-1), offsets.at(-1));
      return {
        offsets: grouped(`lists.${i}.offsets`, Int32Array, offsets),
        ids: grouped(`lists.${i}.ids`, Int32Array, starts),
      };
    });
  }

  row(domain: number, label: number, weight: number): void {
    this.#labels.push(domain, label);
    this.#weights?.push(domain, weight);
  }

  id(i: number, domain: number, id: number): void {
    this.#ids[i]?.push(domain, id);
  }

  number(i: number, domain: number, value: number, missing: number): void {
    this.#numbers[i]?.push(domain, value);
    this.#numbers[i]?.push(domain, missing);
  }

  list(i: number, domain: number, ids: readonly number[]): void {
    const own = this.#lists[i];
    own?.offsets.push(domain, own.ids.place(domain));
    for (const id of ids) own?.ids.push(domain, id);
  }

  finish(): void {
    for (const { offsets, ids } of this.#lists) {
      offsets.finish();
      ids.finish();
    }
    const columns = [this.#labels, this.#weights, ...this.#ids, ...this.#numbers];
    for (const column of columns) column?.finish();
  }
}

function writePiece(
  { table, item, domain, part }: Piece,
  columns: readonly RawColumn[],
  { label, weight }: ResolvedRoles,
  { idsOf }: Fitted,
  { columns: outputs, domains }: Output,
  writers: readonly PartWriter[],
): void {
  const forEachRow = (visit: (writer: PartWriter, domain: number, row: number) => void): void => {
    domain.forEach((own, row) => {
      visit(writers[part[row] as number] as PartWriter, domains[own] as number, row);
    });
  };
  const labels =
    label === undefined ? new Float32Array(table.rows).fill(item ? 0 : 1) : labelsOf(table, label);
  const weights = weight === undefined ? undefined : weightsOf(table, weight);
  forEachRow((writer, d, row) => {
    writer.row(d, labels[row] as number, weights?.[row] ?? 1);
  });
  const features = outputs.map(({ target }) => target);
  for (const { at, own: feature, target, ids: idsNow } of outputs) {
    const column = columns[at] as RawColumn;
    const i = ofKind(features, target.kind).indexOf(target as never);
    if (feature.kind === 'numeric') {
      const { values } = column as Extract<RawColumn, { kind: 'numeric' }>;
      const own = pairsOf(values, feature, (row) => tooLarge(feature, values[row]));
      const pairs = restandardised(own, feature, target as NumericFeature);
      forEachRow((writer, d, row) => {
        writer.number(i, d, pairs[2 * row] as number, pairs[2 * row + 1] as number);
      });
      continue;
    }
    if (column.kind === 'numeric') continue;
    const own = idsOf(at, column.names);
    const ids = idsNow ? own.map((id) => idsNow[id] as number) : own;
    if (column.kind === 'categorical') {
      forEachRow((writer, d, row) => {
        writer.id(i, d, ids[column.codes[row] as number] as number);
      });
      continue;
    }
    const { offsets, codes } = column;
    const widthIn = (of: Feature) => (of.kind === 'multi-valued' ? of.width : 0);
    const width = Math.min(widthIn(feature), widthIn(target));
    forEachRow((writer, d, row) => {
      const from = offsets[row] as number;
      const own = codes.subarray(from, from + Math.min(width, sizeOf(offsets, row)));
      writer.list(
        i,
        d,
        Array.from(own, (code) => ids[code] as number),
      );
    });
  }
}
