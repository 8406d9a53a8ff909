import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PolydomainError } from '../errors.js';

/** A peer that ended or failed; with what it said. */
export class PeerError extends PolydomainError {}

/** What every answer tells beside its own values. */
export interface Answer {
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
}

/** As much of what a peer wrote to stderr as is told. */
const mostText = 2000;

/** A process that answers one JSON line per JSON line. */
export class Peer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  /** How it ended. */
  readonly #ended: Promise<string>;
  #text = '';

  constructor(
    readonly name: string,
    command: readonly [string, ...string[]],
    environment: Readonly<Record<string, string>> = {},
  ) {
    const [file, ...args] = command;
    // In a group of its own: an interrupt at the terminal is the benchmark's alone, which then ends its
    // peers. One whose benchmark is gone ends with its stdin.
    this.#process = spawn(file, args, { env: { ...process.env, ...environment }, detached: true });
    this.#process.stderr.setEncoding('utf8').on('data', (part: string) => {
      this.#text = (this.#text + part).slice(-mostText);
    });
    // A peer that dies shows as the end of its answers; a write to it must not throw before that.
    this.#process.stdin.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      this.#process.on('error', (error) => resolve(error.message));
      this.#process.on('close', (code, signal) =>
        resolve(signal ? `it was ended by ${signal}` : `it ended with code ${code}`),
      );
    });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Throws PeerError. */
  async ask<Result>(command: string, options: object = {}): Promise<Result & Answer> {
    this.#process.stdin.write(`${JSON.stringify({ command, ...options })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) {
      const ending = await this.#ended;
      throw new PeerError(`${this.name}, '${command}': ${ending}: ${this.#text.trim()}`);
    }
    const answer = JSON.parse(value) as Result & Answer & { error?: string };
    if (answer.error !== undefined) {
      throw new PeerError(`${this.name}, '${command}': ${answer.error}`);
    }
    return answer;
  }

  /** Ends the process, whatever it is at, and waits until it is gone. */
  async end(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
