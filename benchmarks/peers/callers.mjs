// Many callers at once, as a service has them: each asks again as soon as it has its answer.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const resolutionMilliseconds = 1;

/**
 * Rows per second that `callers` get from ask(call), one row a call, within `seconds`, and how late the event
 * loop's timers fire meanwhile.
 */
export async function callersOf({ callers, seconds }, ask) {
  let calls = 0;
  const delays = monitorEventLoopDelay({ resolution: resolutionMilliseconds });
  const run = async (until) => {
    while (performance.now() < until) await ask(calls++);
  };
  const runAll = (milliseconds) => {
    const until = performance.now() + milliseconds;
    return Promise.all(Array.from({ length: callers }, () => run(until)));
  };
  // Compiles what is called.
  await runAll(200);
  calls = 0;
  const begun = performance.now();
  delays.enable();
  await runAll(1000 * seconds);
  delays.disable();
  const rowsPerSecond = calls / ((performance.now() - begun) / 1000);
  // The histogram counts from its resolution, in nanoseconds.
  const late = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolutionMilliseconds);
  return {
    rowsPerSecond,
    delayMilliseconds: { p99: late(delays.percentile(99)), max: late(delays.max) },
  };
}
