import type { NativeCommand, NativeSession } from '../native/addon.js';

export interface CommandResult {
  readonly loss: number;
  readonly auc: number;
  readonly rows: number;
}

/** Aims for blocks of this much native work, so that JavaScript is crossed seldom. */
const blockSeconds = 0.08;
const mostCommands = 4096;

/**
 * Runs commands natively in blocks, each off the event loop. Between blocks an abort takes effect;
 * within one it stops the session at the next command, or step of a run without overlay.
 */
export class Executor {
  #blockSize = 1;

  constructor(
    private readonly session: NativeSession,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /**
   * `onResult` gets every command's result; `done`, the number of commands finished, comes with the
   * last one of a block. Commands that are not `abortable` run to their end.
   */
  async run(
    commands: readonly NativeCommand[],
    onResult?: (command: NativeCommand, result: CommandResult, done: number | undefined) => void,
    abortable = true,
  ): Promise<{ aborted: boolean; completed: number; step: number }> {
    const cancel = (): void => this.session.cancel();
    if (abortable) this.signal?.addEventListener('abort', cancel);
    try {
      let completed = 0;
      while (completed < commands.length) {
        if (abortable && this.signal?.aborted) return { aborted: true, completed, step: 0 };
        const block = commands.slice(completed, completed + this.#blockSize);
        const outcome = await this.session.run(block);
        completed += outcome.completed;
        for (let i = 0; i < outcome.completed; i++) {
          onResult?.(
            block[i] as NativeCommand,
            {
              loss: outcome.loss[i] as number,
              auc: outcome.auc[i] as number,
              rows: outcome.rows[i] as number,
            },
            i + 1 === outcome.completed ? completed : undefined,
          );
        }
        if (abortable && this.signal?.aborted && outcome.completed < block.length) {
          return { aborted: true, completed, step: outcome.step };
        }
        const perCommand = outcome.seconds / Math.max(1, outcome.completed);
        this.#blockSize = Math.min(
          mostCommands,
          2 * this.#blockSize,
          Math.max(1, Math.round(blockSeconds / Math.max(perCommand, 1e-7))),
        );
      }
      return { aborted: abortable && (this.signal?.aborted ?? false), completed, step: 0 };
    } finally {
      this.signal?.removeEventListener('abort', cancel);
    }
  }
}
