// What the peers in JavaScript have in common: the sizes, starting values and ids of the MLP that all of
// them train and score. mlp.py is the same for those in Python.

const golden = 0.6180339887498949;

/**
 * Fills a parameter with values that follow from its number and its size alone, so that every peer computes
 * the same scores, and the benchmark can see that it does.
 */
export function fill(target, number, scale) {
  for (let i = 0; i < target.length; i++) {
    const x = (i + 1) * golden + number * Math.SQRT2;
    target[i] = scale * (2 * (x - Math.floor(x)) - 1);
  }
  return target;
}

/** Rows and number of each table: users, items, domains. */
export function tablesOf({ users, items, domains }) {
  return [users, items, domains].map((rows, number) => ({ rows, number }));
}

/** A table's values [rows, embedding]. */
export function tableValues({ rows, number }, { embedding }) {
  return fill(new Float32Array(rows * embedding), number, 0.5);
}

/** Sizes of the linear layers, the last one to the logit. */
export function layersOf({ embedding, hidden }) {
  return [...hidden, 1].map((outputs, layer) => ({
    outputs,
    inputs: layer === 0 ? 3 * embedding : hidden[layer - 1],
    number: 3 + 2 * layer,
  }));
}

/** A layer's weight [outputs, inputs] and bias [outputs]. */
export function layerValues({ inputs, outputs, number }) {
  const scale = Math.sqrt(6 / (inputs + outputs));
  return {
    weight: fill(new Float32Array(inputs * outputs), number, scale),
    bias: fill(new Float32Array(outputs), number + 1, 0.1),
  };
}

/** Rows whose scores every peer has to agree on: columns of users, items and domains. */
export function checkedColumns({ users, items, domains }) {
  const column = (factor, size) => Int32Array.from({ length: 32 }, (_, i) => (i * factor) % size);
  return [column(7919, users), column(104729, items), new Int32Array(32).fill(domains - 1)];
}

/** A small generator of uniform numbers (mulberry32): the same ids in every run. */
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Endless random batches; their domains take turns. */
export class Batches {
  #random = generator(1);
  #drawn = 0;

  constructor(shape) {
    this.shape = shape;
  }

  #draw(size, rows) {
    return Int32Array.from({ length: rows }, () => Math.floor(this.#random() * size));
  }

  /** Columns of users, items and domains. */
  columns(rows) {
    const { users, items, domains } = this.shape;
    const domain = this.#drawn++ % domains;
    return [this.#draw(users, rows), this.#draw(items, rows), new Int32Array(rows).fill(domain)];
  }

  labels(rows) {
    return Float32Array.from(this.#draw(2, rows));
  }
}

/** Seconds of each call of score() on columns of its own, which are drawn before. */
export async function timeCalls({ batches, rows, calls }, score) {
  const inputs = Array.from({ length: calls }, () => batches.columns(rows));
  const seconds = [];
  for (const columns of inputs) {
    const begun = performance.now();
    await score(columns);
    seconds.push((performance.now() - begun) / 1000);
  }
  return { seconds };
}
