import { DataError } from '../../errors.js';
import { splitNames } from '../types.js';

/** What fits Int32Arrays of offsets. */
const most = 2 ** 31 - 1;

/** Rows, or values of lists, counted by part and domain. */
export class Counts {
  readonly #byPart: readonly Float64Array[];

  constructor(private readonly domains: number) {
    this.#byPart = splitNames.map(() => new Float64Array(domains));
  }

  add(part: number, domain: number, count: number): void {
    const own = this.#byPart[part] as Float64Array;
    own[domain] = (own[domain] as number) + count;
  }

  /** The same counts under other numbers of domains: `numbers[d]` of `domains` for d. */
  renumbered(numbers: Int32Array, domains: number): Counts {
    const other = new Counts(domains);
    this.#byPart.forEach((own, part) => {
      own.forEach((count, d) => {
        other.add(part, numbers[d] as number, count);
      });
    });
    return other;
  }

  /** Where each domain of a part begins, and the end. Throws DataError for too many. */
  offsets(part: number): Int32Array {
    const offsets = new Int32Array(this.domains + 1);
    let before = 0;
    this.#byPart[part]?.forEach((count, d) => {
      before += count;
      if (before > most) {
        throw new DataError(`a part has more than ${most} rows, or values of lists`);
      }
      offsets[d + 1] = before;
    });
    return offsets;
  }
}
