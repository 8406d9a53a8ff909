// Keeps other programs out of a measurement. Both sides spread a step over all cores and wait for
// the slowest thread, so one busy neighbour can multiply a time, and PyTorch's (whose threads spin)
// more than ours: a median of such rounds would flatter us.
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Share of all cores that others may use during a measurement. */
const tolerated = 0.05;
/** The grain of the system's counters: a clock tick per core. */
const grainSeconds = 0.01;
const sampleMilliseconds = 500;

/** Seconds that all cores together have been busy since the start of the machine. */
function busySeconds() {
  let milliseconds = 0;
  for (const { times } of cpus()) milliseconds += times.user + times.nice + times.sys + times.irq;
  return milliseconds / 1000;
}

function moment() {
  const { user, system } = process.cpuUsage();
  return { at: performance.now() / 1000, busy: busySeconds() - (user + system) / 1e6 };
}

/** Whether more than `own` seconds of work, and what is tolerated, were done since `before`. */
function othersWorked(before, own) {
  const now = moment();
  const capacity = (now.at - before.at) * cpus().length;
  return now.busy - before.busy - own > tolerated * capacity + grainSeconds * cpus().length;
}

export class Undisturbed {
  /** `patience`: seconds to spend on waiting and repeating, all in all. */
  constructor(patience) {
    this.patience = patience;
  }

  /**
   * Runs `body` until nobody else worked meanwhile, or the patience is spent. `body` gives an answer
   * with cpuSeconds, the work that is its own.
   */
  async run(body) {
    for (;;) {
      const before = moment();
      const answer = await body();
      if (!othersWorked(before, answer.cpuSeconds)) return { answer, disturbed: false };
      if (this.patience <= 0) return { answer, disturbed: true };
      await this.#untilQuiet();
      this.patience -= performance.now() / 1000 - before.at;
    }
  }

  async #untilQuiet() {
    const begun = performance.now();
    for (;;) {
      const before = moment();
      await sleep(sampleMilliseconds);
      if (!othersWorked(before, 0)) return;
      if (performance.now() - begun > 1000 * this.patience) return;
    }
  }
}
