/** Finds the different ones among codes below a bound, in the order of their first appearance. */
export class Distinct {
  /** By code: its place among the different ones of the call under way; -1: it has none. */
  readonly #places: Int32Array;

  constructor(bound: number) {
    this.#places = new Int32Array(bound).fill(-1);
  }

  /** The different codes, and of each of `codes` the place of its own among them. */
  of(codes: Int32Array): { readonly values: Int32Array; readonly places: Int32Array } {
    const found = new Int32Array(codes.length);
    let count = 0;
    const places = codes.map((code) => {
      if (this.#places[code] === -1) {
        found[count] = code;
        this.#places[code] = count++;
      }
      return this.#places[code] as number;
    });
    const values = found.slice(0, count);
    for (const code of values) this.#places[code] = -1;
    return { values, places };
  }
}
