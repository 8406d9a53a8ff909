import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError, DataError } from '../errors.js';
import { suggest } from '../nearest.js';
import { duckdb, sqlOf, type Table } from './table.js';

/** What DuckDB itself may hold in memory; it spills what is more. */
const memoryLimit = '512MB';

/**
 * Raw rows copied to a file on disk, so that they can be read several times, a piece at a time, in one
 * order, whatever becomes of their source.
 */
export class StagedRows {
  private constructor(
    private readonly connection: Awaited<ReturnType<Instance['connect']>>,
    private readonly names: readonly string[],
    private readonly shownAs: string,
    readonly close: () => Promise<void>,
  ) {}

  /**
   * Copies the rows into a temporary folder within `folder`. Throws DataError, LoadError, and
   * CheckpointError for a disk that is full.
   */
  static async copy(source: string, query: string | undefined, folder: string) {
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
        memory_limit: memoryLimit,
        temp_directory: join(own, 'spilt'),
      });
      const connection = await instance.connect();
      await connection.run(`create table staged as ${sql}`);
      const names = (await connection.run('select * from staged limit 0')).columnNames();
      return new StagedRows(connection, names, source, async () => {
        connection.closeSync();
        await close();
      });
    } catch (cause) {
      await close();
      // DuckDB's own words where it writes.
      if (!/could not (write|allocate)|no space left/i.test((cause as Error).message)) {
        throw unreadable(source, cause);
      }
      const why = (cause as Error).message;
      throw new CheckpointError(`'${own}' could not be written: ${why}`, { cause });
    }
  }

  /**
   * The rows from first to last with these columns, in pieces whose rows count as those of the source
   * do. Throws DataError for a column that they do not have.
   */
  async *pieces(columns: readonly string[]): AsyncGenerator<Table> {
    const wanted = [...new Set(columns)];
    for (const name of wanted) {
      if (this.names.includes(name)) continue;
      throw new DataError(`'${this.shownAs}' has no column '${name}'${suggest(name, this.names)}`);
    }
    const list = wanted.map((name) => `"${name.replaceAll('"', '""')}"`);
    try {
      const result = await this.connection.stream(`select ${list} from staged`);
      let before = 0;
      for (;;) {
        const chunk = await result.fetchChunk();
        if (!chunk || chunk.rowCount === 0) return;
        const first = before + 1;
        yield {
          rows: chunk.rowCount,
          name: `'${this.shownAs}': `,
          number: (row) => first + row,
          column: (name) => chunk.getColumnValues(wanted.indexOf(name)),
        };
        before += chunk.rowCount;
      }
    } catch (cause) {
      throw unreadable(this.shownAs, cause);
    }
  }
}

type Instance = InstanceType<Awaited<ReturnType<typeof duckdb>>['DuckDBInstance']>;

function unreadable(source: string, cause: unknown): Error {
  if (cause instanceof DataError) return cause;
  return new DataError(`'${source}' could not be read: ${(cause as Error).message}`, { cause });
}
