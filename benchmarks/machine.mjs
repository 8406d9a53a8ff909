// What a result depends on beside the code: machine, versions, commit.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export function machine() {
  return {
    cpu: cpus()[0].model.trim(),
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
  };
}

/** Load of the last minute: well above the threads of the run means that others took the cores. */
export function load() {
  return Math.round(100 * loadavg()[0]) / 100;
}

function git(...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}

export function revision() {
  const sources = ['CMakeLists.txt', 'cmake', 'native', 'bindings', 'ts'];
  return {
    commit: git('rev-parse', 'HEAD'),
    uncommitted: git('status', '--porcelain', '--', ...sources) !== '',
  };
}

/** Writes results/<name>-<SIMD level>.json; returns its path. */
export function writeResult(name, simdLevel, result) {
  const folder = `${root}benchmarks/results`;
  mkdirSync(folder, { recursive: true });
  const path = `${folder}/${name}-${simdLevel}.json`;
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  return path;
}
