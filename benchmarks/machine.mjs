// What a result depends on beside the code: machine, versions, commit.
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';

export { machine, revision } from '../dist/esm/benchmark/machine.js';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Load of the last minute: well above the threads of the run means that others took the cores. */
export function load() {
  return Math.round(100 * loadavg()[0]) / 100;
}

/** Writes results/<name>-<SIMD level>.json; returns its path. */
export function writeResult(name, simdLevel, result) {
  const folder = `${root}benchmarks/results`;
  mkdirSync(folder, { recursive: true });
  const path = `${folder}/${name}-${simdLevel}.json`;
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  return path;
}
