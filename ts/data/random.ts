const increment = 0x6d2b79f5;

/** Seeded numbers for preparing data: the same seed gives the same dataset everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1), 32 bits of it (mulberry32). */
  next(): number {
    this.#skip(1);
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** Shuffles in place (Fisher-Yates). */
  shuffle(values: Values): void {
    for (let i = values.length - 1; i > 0; i--) swap(values, i, this.below(i + 1));
  }

  /** Puts back in place what shuffle() would have moved, and draws as many numbers. */
  unshuffle(values: Values): void {
    const draws = Math.max(0, values.length - 1);
    // The swaps from the last to the first.
    this.#skip(draws);
    for (let i = 1; i <= draws; i++) {
      this.#skip(-1);
      swap(values, i, this.below(i + 1));
      this.#skip(-1);
    }
    this.#skip(draws);
  }

  #skip(numbers: number): void {
    this.#state = (this.#state + Math.imul(numbers, increment)) >>> 0;
  }
}

interface Values {
  readonly length: number;
  [index: number]: number;
}

function swap(values: Values, i: number, j: number): void {
  const swapped = values[i] as number;
  values[i] = values[j] as number;
  values[j] = swapped;
}
