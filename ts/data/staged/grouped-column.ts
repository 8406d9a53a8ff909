import { writeAtSync } from '../../io/write-at.js';

type Values = Int32Array | Float32Array;

/**
 * A column of a file whose rows come in any order of their domains and are written domain by domain, each
 * domain's in the order in which they come.
 */
export class GroupedColumn {
  readonly #buffers: (Values | undefined)[];
  readonly #filled: Int32Array;
  /** The place of the next value that is written, by domain. */
  readonly #next: Float64Array;

  constructor(
    private readonly file: number,
    /** Where the column begins in the file. */
    private readonly begin: number,
    /** Where each domain's values begin in the column. */
    starts: ArrayLike<number>,
    private readonly type: new (length: number) => Values,
    /** Values of a domain that are kept until they are written. */
    private readonly capacity: number,
  ) {
    this.#buffers = Array.from({ length: starts.length }, () => undefined);
    this.#filled = new Int32Array(starts.length);
    this.#next = Float64Array.from(starts);
  }

  /** The place that a domain's next value gets. */
  place(domain: number): number {
    return (this.#next[domain] as number) + (this.#filled[domain] as number);
  }

  push(domain: number, value: number): void {
    this.#buffers[domain] ??= new this.type(this.capacity);
    const buffer = this.#buffers[domain] as Values;
    const filled = this.#filled[domain] as number;
    buffer[filled] = value;
    this.#filled[domain] = filled + 1;
    if (filled + 1 === this.capacity) this.#write(domain);
  }

  finish(): void {
    this.#filled.forEach((filled, domain) => {
      if (filled > 0) this.#write(domain);
    });
  }

  #write(domain: number): void {
    const filled = this.#filled[domain] as number;
    const at = this.#next[domain] as number;
    const { buffer } = this.#buffers[domain] as Values;
    writeAtSync(this.file, new Uint8Array(buffer, 0, 4 * filled), this.begin + 4 * at);
    this.#next[domain] = at + filled;
    this.#filled[domain] = 0;
  }
}
