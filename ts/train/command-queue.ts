import { setImmediate } from 'node:timers/promises';
import type { NativeCommand, NativeInterruption } from '../native/addon.js';

/** Commands that are made before the event loop gets a turn: a few milliseconds' worth. */
const commandsPerTurn = 2048;

/** An epoch's commands, made when they are due: with many domains there are millions of them. */
export class CommandQueue {
  readonly #commands: Iterator<NativeCommand>;
  readonly #ready: NativeCommand[] = [];

  constructor(commands: Iterable<NativeCommand>) {
    this.#commands = commands[Symbol.iterator]();
  }

  /** Makes the next `count`, or those that are left. */
  prepare(count: number): void {
    while (this.#ready.length < count) {
      const { done, value } = this.#commands.next();
      if (done) return;
      this.#ready.push(value);
    }
  }

  get isEmpty(): boolean {
    this.prepare(1);
    return this.#ready.length === 0;
  }

  /** Takes out the next `count`, or those that are left. */
  take(count: number): NativeCommand[] {
    this.prepare(count);
    return this.#ready.splice(0, count);
  }

  /**
   * Drops the next `count`, with turns for the event loop; returns how many there were. Rejects with the signal's
   * reason once it is aborted.
   */
  async skip(count: number, signal?: AbortSignal): Promise<number> {
    let skipped = 0;
    while (skipped < count && !this.isEmpty) {
      skipped += this.take(Math.min(commandsPerTurn, count - skipped)).length;
      await setImmediate();
      signal?.throwIfAborted();
    }
    return skipped;
  }

  /** The next command goes on from inside its pass. */
  resume(resumed: NativeInterruption): void {
    this.prepare(1);
    const [next] = this.#ready;
    if (next) this.#ready[0] = { ...next, resumed };
  }
}
