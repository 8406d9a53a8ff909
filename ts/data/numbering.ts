import { DataError } from '../errors.js';
import type { Turns } from '../turns.js';

/** Slots of an empty table. */
const smallest = 32;
/** An array of more would end the process where it grows. */
const mostValues = 100_000_000;

/** Values that are placed before other work has its turn. */
const valuesAtOnce = 2 ** 14;

/** A numbering to which nothing is added. */
export type Numbered = Pick<Numbering, 'find' | 'size' | 'values'>;

/**
 * Text values by number, from 0 in the order in which they were added: an open hash table of numbers beside
 * the values, which holds more than a Map does (2^24 keys), in less memory.
 */
export class Numbering {
  #values: string[] = [];
  #hashes = new Int32Array(smallest / 2);
  /** The number of a value + 1; 0: free. Half of them are free at least. */
  #slots = new Int32Array(smallest);

  constructor(private readonly most = mostValues) {}

  /** Of values that have their numbers already, and are not copied; of equal ones the first is found. */
  static *over(values: readonly string[]): Turns<Numbered> {
    const own = new Numbering();
    own.#values = values as string[];
    own.#hashes = new Int32Array(values.length);
    let slots = smallest;
    while (slots < 2 * values.length) slots *= 2;
    own.#slots = new Int32Array(slots);
    for (const [number, value] of values.entries()) {
      own.#hashes[number] = hashOf(value);
      own.#place(number);
      if ((number + 1) % valuesAtOnce === 0) yield;
    }
    return own;
  }

  get values(): readonly string[] {
    return this.#values;
  }

  get size(): number {
    return this.#values.length;
  }

  /** The number of a value; -1 where it has none. */
  find(value: string): number {
    return (this.#slots[this.#slotOf(value, hashOf(value))] as number) - 1;
  }

  /** The number of a value, the next one where it had none. Throws DataError where there are too many. */
  add(value: string): number {
    const hash = hashOf(value);
    let slot = this.#slotOf(value, hash);
    const found = this.#slots[slot] as number;
    if (found > 0) return found - 1;
    const number = this.#values.length;
    if (number === this.most) {
      throw new DataError(
        `more than ${number} different values in one table of ids, '${value}' among them; expected fewer, or hashed ids (buckets)`,
      );
    }
    if (number === this.#hashes.length) {
      this.#grow();
      slot = this.#slotOf(value, hash);
    }
    this.#values.push(value);
    this.#hashes[number] = hash;
    this.#slots[slot] = number + 1;
    return number;
  }

  /** The slot that has the value, or the free one that it would get. */
  #slotOf(value: string, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] as number) - 1;
      if (number < 0) return slot;
      if (this.#hashes[number] === hash && this.#values[number] === value) return slot;
    }
  }

  #place(number: number): void {
    const slot = this.#slotOf(this.#values[number] as string, this.#hashes[number] as number);
    if (this.#slots[slot] === 0) this.#slots[slot] = number + 1;
  }

  #grow(): void {
    const hashes = new Int32Array(2 * this.#hashes.length);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    this.#slots = new Int32Array(2 * this.#slots.length);
    for (let number = 0; number < this.#values.length; number++) this.#place(number);
  }
}

/** FNV-1a of the UTF-16 units, mixed by MurmurHash3's finalizer so that every bit counts. */
function hashOf(value: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < value.length; i++) {
    hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
