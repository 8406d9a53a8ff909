import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { CheckpointError, DataError } from '../../errors.js';
import { suggest } from '../../nearest.js';
import { duckdb, sqlOf, type Table } from '../table.js';

/**
 * A negative: places among the rows, from 0, of the row that it follows and of the one that has its item, and its
 * domain and part.
 */
export type DrawnRow = readonly [context: number, owner: number, domain: number, part: number];

/**
 * Megabytes that DuckDB itself may hold in memory while it copies or joins rows, beside one per column: each of its
 * threads holds a block of every column. It spills what is more.
 */
const copyingLimit = 512;
/** And while they are read: blocks that it kept would be worth nothing, as every pass reads all of them in order. */
const readingLimit = 128;
/** More would take memory alone, as JavaScript is what DuckDB waits for. */
const mostThreads = 4;

/**
 * Raw rows copied to a file on disk, so that they can be read several times, a piece at a time, in one
 * order, whatever becomes of their source.
 */
export class StagedRows {
  private constructor(
    /** How many they have. */
    private readonly columns: number,
    private readonly connection: Awaited<ReturnType<Instance['connect']>>,
    private readonly source: string,
    readonly close: () => Promise<void>,
  ) {}

  /**
   * Copies these columns of the rows into a temporary folder within `folder`. Throws DataError, LoadError, and
   * CheckpointError for a disk that is full.
   */
  static async copy(
    source: string,
    query: string | undefined,
    columns: readonly string[],
    folder: string,
  ): Promise<StagedRows> {
    const sql = sqlOf(source, query);
    const { DuckDBInstance } = await duckdb();
    const own = await mkdtemp(join(folder, 'rows.writing-'));
    let instance: Instance | undefined;
    const close = async () => {
      instance?.closeSync();
      await rm(own, { recursive: true, force: true });
    };
    try {
      instance = await DuckDBInstance.create(join(own, 'rows.duckdb'), {
        threads: `${Math.min(mostThreads, availableParallelism())}`,
        temp_directory: join(own, 'spilt'),
      });
      const connection = await instance.connect();
      const wanted = [...new Set(columns)];
      const staged = new StagedRows(wanted.length, connection, source, async () => {
        connection.closeSync();
        await close();
      });
      await staged.#copy(`(${sql})`, wanted);
      return staged;
    } catch (cause) {
      await close();
      throw isWriting(cause) ? unwritable(own, cause) : unreadable(source, cause);
    }
  }

  async #copy(from: string, columns: readonly string[]): Promise<void> {
    try {
      await this.#make('staged', `select ${columns.map(quoted).join(', ')} from ${from}`);
    } catch (cause) {
      if (!isWriting(cause)) await this.#requireColumns(from, columns);
      throw cause;
    }
    // DuckDB takes names of columns in upper and in lower case alike.
    await this.#requireColumns('staged', columns);
  }

  /** Makes a table whose rows are on disk alone. */
  async #make(table: string, sql: string): Promise<void> {
    await this.#limitMemory(copyingLimit);
    await this.connection.run(`create table ${table} as ${sql}`);
    await this.connection.run('checkpoint');
    await this.#limitMemory(readingLimit);
  }

  async #limitMemory(megabytes: number): Promise<void> {
    await this.connection.run(`set memory_limit = '${megabytes + this.columns}MB'`);
  }

  /**
   * The rows from first to last with these columns, in pieces whose rows count as those of the source
   * do. Throws DataError for a column that they do not have.
   */
  pieces(columns: readonly string[]): AsyncGenerator<Table> {
    return this.#read('staged', columns);
  }

  /** The rows of a query of the source, in the same way. */
  async *query(sql: string, columns: readonly string[]): AsyncGenerator<Table> {
    await this.#limitMemory(copyingLimit);
    yield* this.#read(`(${sqlOf(this.source, sql)})`, columns);
    await this.#limitMemory(readingLimit);
  }

  /**
   * Joins rows of others to rows of negatives(), by what `drawn` tells in order. Throws DataError for a column that
   * they do not have, and CheckpointError for a disk that is full.
   */
  async addNegatives(
    drawn: Iterable<DrawnRow>,
    columns: readonly string[],
    itemColumns: readonly string[],
  ): Promise<void> {
    await this.#requireColumns('staged', [...columns, ...itemColumns]);
    const { DuckDBDataChunk, INTEGER } = await duckdb();
    try {
      await this.connection.run(
        'create table drawn (context integer, owner integer, domain integer, part integer)',
      );
      const appender = await this.connection.createAppender('drawn');
      const rows: (readonly number[])[] = [];
      const append = (): void => {
        const chunk = DuckDBDataChunk.create([INTEGER, INTEGER, INTEGER, INTEGER]);
        chunk.setRows(rows);
        appender.appendDataChunk(chunk);
        rows.length = 0;
      };
      for (const row of drawn) {
        if (rows.push(row) === chunkRows) append();
      }
      if (rows.length > 0) append();
      appender.closeSync();
      const of = (table: string, names: readonly string[]) =>
        [...new Set(names)].map(
          (name) => `${table}.${quoted(name)} as ${quoted(`${table}.${name}`)}`,
        );
      await this.#make(
        'negatives',
        `select ${[...of('context', columns), ...of('owner', itemColumns)].join(', ')}, drawn.domain as domain, drawn.part as part
           from drawn
           join staged context on context.rowid = drawn.context
           join staged owner on owner.rowid = drawn.owner
           order by drawn.rowid`,
      );
      await this.connection.run('drop table drawn');
    } catch (cause) {
      throw isWriting(cause) ? unwritable(this.source, cause) : unreadable(this.source, cause);
    }
  }

  /**
   * The rows that addNegatives() joined: columns of the row that each follows, in `item` those of the row that
   * has its item.
   */
  async *negatives(
    columns: readonly string[],
    itemColumns: readonly string[],
  ): AsyncGenerator<{
    readonly context: Table;
    readonly item: Table;
    readonly domain: Int32Array;
    readonly part: Int8Array;
  }> {
    const own = (prefix: string, names: readonly string[]) =>
      names.map((name) => `${prefix}.${name}`);
    const all = [...own('context', columns), ...own('owner', itemColumns), 'domain', 'part'];
    for await (const piece of this.#read('negatives', all)) {
      const part = (prefix: string): Table => ({
        ...piece,
        column: (name) => piece.column(`${prefix}.${name}`),
      });
      yield {
        context: part('context'),
        item: part('owner'),
        domain: Int32Array.from(piece.column('domain') as number[]),
        part: Int8Array.from(piece.column('part') as number[]),
      };
    }
  }

  async *#read(from: string, columns: readonly string[]): AsyncGenerator<Table> {
    const wanted = [...new Set(columns)];
    await this.#requireColumns(from, wanted);
    try {
      const result = await this.connection.stream(
        `select ${wanted.map(quoted).join(', ')} from ${from}`,
      );
      let before = 0;
      for (;;) {
        const chunk = await result.fetchChunk();
        if (!chunk || chunk.rowCount === 0) return;
        const first = before + 1;
        yield {
          rows: chunk.rowCount,
          name: `'${this.source}': `,
          number: (row) => first + row,
          column: (name) => chunk.getColumnValues(wanted.indexOf(name)),
        };
        before += chunk.rowCount;
      }
    } catch (cause) {
      throw unreadable(this.source, cause);
    }
  }

  async #requireColumns(from: string, wanted: readonly string[]): Promise<void> {
    let names: readonly string[];
    try {
      names = (await this.connection.run(`select * from ${from} limit 0`)).columnNames();
    } catch (cause) {
      throw unreadable(this.source, cause);
    }
    for (const name of wanted) {
      if (names.includes(name)) continue;
      throw new DataError(`'${this.source}' has no column '${name}'${suggest(name, names)}`);
    }
  }
}

/** Rows of DuckDB's own pieces. */
const chunkRows = 2048;

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

type Instance = InstanceType<Awaited<ReturnType<typeof duckdb>>['DuckDBInstance']>;

/** By DuckDB's own words where it writes. */
function isWriting(cause: unknown): boolean {
  return /could not (write|allocate)|no space left/i.test((cause as Error).message);
}

function unwritable(where: string, cause: unknown): Error {
  return new CheckpointError(`'${where}' could not be written: ${(cause as Error).message}`, {
    cause,
  });
}

function unreadable(source: string, cause: unknown): Error {
  if (cause instanceof DataError) return cause;
  return new DataError(`'${source}' could not be read: ${(cause as Error).message}`, { cause });
}
