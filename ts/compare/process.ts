import { fork } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../native/load.js';
import type { FitEvent } from '../train/events.js';
import type { Message, Order } from './child.js';

export interface ProcessOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: FitEvent) => void) | undefined;
}

/** As much of what a crashing process said as is told. */
const mostText = 2000;

/**
 * Runs a job in a process of its own: its peak memory is the run's, and its crash leaves the others
 * alone. Returns what went wrong, if anything. Aborting rejects with the signal's reason, after the run
 * has saved its checkpoint.
 */
export function runInProcess(
  order: Order,
  { signal, onEvent }: ProcessOptions,
): Promise<string | undefined> {
  signal?.throwIfAborted();
  const child = fork(join(packageRoot(), 'dist/esm/compare/child.js'), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  });
  return new Promise((resolve, reject) => {
    let done = false;
    let failure: string | undefined;
    let text = '';
    const stop = (): void => {
      child.kill('SIGTERM');
    };
    signal?.addEventListener('abort', stop);
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      text = (text + part).slice(-mostText);
    });
    child.on('message', (message: Message) => {
      if (message.kind === 'event') onEvent?.(message.event);
      else if (message.kind === 'done') done = true;
      else failure = `${message.name}: ${message.message}`;
    });
    child.on('error', reject);
    child.on('close', (code, killer) => {
      signal?.removeEventListener('abort', stop);
      if (done) return resolve(undefined);
      if (signal?.aborted) return reject(signal.reason);
      const ending = killer
        ? `its process was ended by ${killer}${killer === 'SIGKILL' ? ' (out of memory?)' : ''}`
        : `its process ended with code ${code}`;
      resolve(failure ?? `${ending}${text ? `: ${text.trim()}` : ''}`);
    });
    child.send(order, (error) => {
      if (error) failure ??= error.message;
    });
  });
}
