import type {
  NativeCommand,
  NativeInterruption,
  NativeRunOutcome,
  NativeSession,
} from '../native/addon.js';
import type { CommandQueue } from './command-queue.js';

export interface CommandResult {
  readonly loss: number;
  readonly auc: number;
  readonly rows: number;
}

/** How far a queue of commands came. */
export interface Execution {
  /** Why it came to its end: all done, the signal aborted, or `pauseAt` was reached. */
  readonly end: 'done' | 'aborted' | 'paused';
  readonly completed: number;
  /** Inside the next command, when it was stopped between two steps. */
  readonly interruption: NativeInterruption | undefined;
}

export interface ExecutionOptions {
  /** Gets every command's result; `done` commands are finished after the last one of a block. */
  readonly onResult?: (
    command: NativeCommand,
    result: CommandResult,
    done: number | undefined,
  ) => void;
  /** The commands run to their end, whatever the signal says. */
  readonly unstoppable?: boolean;
  /** On performance.now()'s clock: the first block that ends after it is the last. */
  readonly pauseAt?: number;
}

/** Aims for blocks of this much native work, so that JavaScript is crossed seldom. */
const blockSeconds = 0.08;
const mostCommands = 2048;

/**
 * Runs commands natively in blocks, each off the event loop, where the next block is made meanwhile. Between
 * blocks an abort takes effect; within one it stops the session at the next command, or within one that can be stopped
 * (see docs/architecture.md).
 */
export class Executor {
  #blockSize = 1;

  constructor(
    private readonly session: NativeSession,
    readonly signal?: AbortSignal,
  ) {}

  async run(
    commands: CommandQueue,
    { onResult, unstoppable = false, pauseAt = Number.POSITIVE_INFINITY }: ExecutionOptions = {},
  ): Promise<Execution> {
    const signal = unstoppable ? undefined : this.signal;
    const cancel = (): void => this.session.cancel();
    signal?.addEventListener('abort', cancel);
    try {
      let completed = 0;
      while (!commands.isEmpty) {
        if (signal?.aborted) return { end: 'aborted', completed, interruption: undefined };
        const block = commands.take(this.#blockSize);
        const running = this.session.run(block);
        let outcome: NativeRunOutcome;
        try {
          commands.prepare(this.#blockSize);
        } finally {
          // Whatever a strategy throws, nothing is left running.
          outcome = await running;
        }
        completed += outcome.completed;
        for (let i = 0; i < outcome.completed; i++) {
          const result = {
            loss: outcome.loss[i] as number,
            auc: outcome.auc[i] as number,
            rows: outcome.rows[i] as number,
          };
          const done = i + 1 === outcome.completed ? completed : undefined;
          onResult?.(block[i] as NativeCommand, result, done);
        }
        if (outcome.completed < block.length) {
          const { interruption } = outcome;
          return {
            end: 'aborted',
            completed,
            interruption: interruption.step > 0 ? interruption : undefined,
          };
        }
        this.#resize(outcome.seconds / outcome.completed);
        if (performance.now() >= pauseAt && !commands.isEmpty) {
          return { end: 'paused', completed, interruption: undefined };
        }
      }
      return { end: signal?.aborted ? 'aborted' : 'done', completed, interruption: undefined };
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  #resize(secondsPerCommand: number): void {
    const fitting = Math.round(blockSeconds / Math.max(secondsPerCommand, 1e-7));
    this.#blockSize = Math.min(mostCommands, 2 * this.#blockSize, Math.max(1, fitting));
  }
}
