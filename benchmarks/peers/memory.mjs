import { readFileSync } from 'node:fs';

function inStatus(key) {
  const status = readFileSync('/proc/self/status', 'utf8');
  return 1024 * Number(status.match(`${key}:\\s*(\\d+)`)[1]);
}

/** Memory of this process that is resident now; pages of a mapped file count while they are. */
export const residentBytes = () => inStatus('VmRSS');

/** The most that was resident so far. The counter of getrusage(2) would begin with that of the parent. */
export const peakBytes = () => inStatus('VmHWM');
