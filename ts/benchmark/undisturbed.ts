import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './peer.js';

/** Share of all cores that others may use during a measurement. */
const tolerated = 0.05;
/** The grain of the system's counters: a clock tick. */
const grainSeconds = 0.01;
const sampleMilliseconds = 500;

/**
 * Seconds that the host of a virtual machine gave to its other guests while this one had work, all cores
 * together, of the system's counters (proc_stat(5)).
 */
export function stolenSeconds(stat: string): number {
  const [, ...ticks] = (stat.split('\n', 1)[0] as string).split(/ +/);
  return Number(ticks[7] ?? 0) * grainSeconds;
}

/** Seconds that all cores together have been busy, or taken away, since the start of the machine. */
function busySeconds(): number {
  let milliseconds = 0;
  for (const { times } of cpus()) milliseconds += times.user + times.nice + times.sys + times.irq;
  return milliseconds / 1000 + stolenSeconds(readFileSync('/proc/stat', 'utf8'));
}

interface Moment {
  readonly at: number;
  readonly busy: number;
}

function moment(): Moment {
  const { user, system } = process.cpuUsage();
  return { at: performance.now() / 1000, busy: busySeconds() - (user + system) / 1e6 };
}

/** Whether others took more than what is tolerated since `before`, beside `own` seconds of work. */
function othersWorked(before: Moment, own: number): boolean {
  const now = moment();
  const capacity = (now.at - before.at) * cpus().length;
  return now.busy - before.busy - own > tolerated * capacity + grainSeconds * cpus().length;
}

/**
 * Keeps other programs out of a measurement. A step is spread over all cores and waits for the slowest
 * thread, so one busy neighbour can multiply a time, and most where threads spin (PyTorch): a median of
 * such rounds would flatter us.
 */
export class Undisturbed {
  /** `patience`: seconds to spend on waiting and repeating, all in all. */
  constructor(
    private patience: number,
    private readonly signal?: AbortSignal,
  ) {}

  /** Runs `body` until nobody else worked meanwhile, or the patience is spent. */
  async run<Result extends Answer>(
    body: () => Promise<Result>,
  ): Promise<{ answer: Result; disturbed: boolean }> {
    for (;;) {
      const before = moment();
      const answer = await body();
      if (!othersWorked(before, answer.cpuSeconds)) return { answer, disturbed: false };
      if (this.patience <= 0) return { answer, disturbed: true };
      await this.#untilQuiet();
      this.patience -= performance.now() / 1000 - before.at;
    }
  }

  async #untilQuiet(): Promise<void> {
    const begun = performance.now();
    for (;;) {
      const before = moment();
      await sleep(sampleMilliseconds, undefined, { signal: this.signal });
      if (!othersWorked(before, 0)) return;
      if (performance.now() - begun > 1000 * this.patience) return;
    }
  }
}
