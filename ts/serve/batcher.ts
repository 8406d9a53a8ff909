/** The columns of a call, one per feature. */
type EncodedColumns = readonly (Int32Array | Float32Array)[];

interface Call {
  readonly columns: EncodedColumns;
  readonly rows: number;
  resolve(scores: Float32Array): void;
  reject(error: unknown): void;
}

/** Rows that are scored together at most: more would make the first of them wait for nothing. */
const mostRows = 1024;

/**
 * Many callers of a few rows each cost one crossing to native code: whoever calls while a batch is under way
 * gets into the next one. Nobody waits for others to come.
 */
export class Batcher {
  #waiting: Call[] = [];
  #busy = false;

  constructor(
    private readonly score: (columns: EncodedColumns, rows: number) => Promise<Float32Array>,
  ) {}

  /** What score() has for these rows. Rejects as it does. */
  predict(columns: EncodedColumns, rows: number): Promise<Float32Array> {
    // Large calls go by themselves: the small ones get their turn between the blocks of these.
    if (rows >= mostRows) return this.score(columns, rows);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ columns, rows, resolve, reject });
      if (!this.#busy) void this.#scoreAll();
    });
  }

  async #scoreAll(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const calls = this.#next();
      try {
        const rows = calls.reduce((sum, call) => sum + call.rows, 0);
        const scores = await this.score(joined(calls), rows);
        let at = 0;
        for (const call of calls) {
          call.resolve(scores.slice(at, at + call.rows));
          at += call.rows;
        }
      } catch (error) {
        for (const call of calls) call.reject(error);
      }
    }
    this.#busy = false;
  }

  /** The calls of the next batch: those that came first. */
  #next(): Call[] {
    let rows = 0;
    let count = 0;
    while (count < this.#waiting.length && rows < mostRows) {
      rows += (this.#waiting[count] as Call).rows;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}

/** The columns of several calls, one after another. */
function joined(calls: readonly Call[]): EncodedColumns {
  const [first] = calls as [Call];
  if (calls.length === 1) return first.columns;
  return first.columns.map((column, c) => {
    const parts = calls.map(({ columns }) => columns[c] as Int32Array | Float32Array);
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const whole = new (column.constructor as new (size: number) => typeof column)(size);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  });
}
