import { appendFile, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '../errors.js';
import type { FitEvent } from './events.js';

/** events.jsonl of a run folder: a line of JSON per event. */
export class EventLog {
  readonly #path: string;
  #written: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  constructor(folder: string) {
    this.#path = join(folder, 'events.jsonl');
  }

  /** Cuts a line that a killed process left unfinished. */
  async open(): Promise<void> {
    const content = await readFile(this.#path).catch(() => Buffer.alloc(0));
    const whole = content.lastIndexOf('\n') + 1;
    if (whole < content.length) await truncate(this.#path, whole);
  }

  /** Appends an event, one after another; flush() tells what went wrong. */
  add(event: FitEvent): void {
    const line = `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`;
    this.#written = this.#written
      .then(() => appendFile(this.#path, line))
      .catch((cause: Error) => {
        this.#failure ??= new CheckpointError(
          `'${this.#path}' could not be written: ${cause.message}`,
          { cause },
        );
      });
  }

  /** Waits for what was added. Throws CheckpointError when it could not be written. */
  async flush(): Promise<void> {
    await this.#written;
    if (this.#failure) throw this.#failure;
  }
}
