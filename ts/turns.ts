import { setImmediate } from 'node:timers/promises';

/** Work that pauses where other work may have its turn; what it returns is its result. */
export type Turns<Result> = Generator<unknown, Result, void>;

/** Does work while other work has its turns. */
export async function inTurns<Result>(work: Turns<Result>): Promise<Result> {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    await setImmediate();
  }
}

/** Does work without a pause. */
export function atOnce<Result>(work: Turns<Result>): Result {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}
