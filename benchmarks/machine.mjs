// What a result depends on beside the code: machine, versions, commit.
import { execFileSync, spawnSync } from 'node:child_process';
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

/** Version of PyTorch in this python, or undefined. */
export function torchVersion(python) {
  const { status, stdout } = spawnSync(python, ['-c', 'import torch; print(torch.__version__)'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : undefined;
}

/**
 * Settings that hold PyTorch and its libraries to the SIMD level that POLYDOMAIN_SIMD forces on us,
 * as on a machine that has no more. Without POLYDOMAIN_SIMD both use what the machine has.
 */
export function peerSimdSettings() {
  const settings = {
    avx2: ['avx2', 'AVX2', 'AVX2'],
    sse4: ['default', 'SSE4_2', 'SSE41'],
    scalar: ['default', 'SSE4_2', 'SSE41'],
  }[process.env.POLYDOMAIN_SIMD];
  if (!settings) return {};
  const [aten, mkl, onednn] = settings;
  return {
    ATEN_CPU_CAPABILITY: aten,
    MKL_ENABLE_INSTRUCTIONS: mkl,
    ONEDNN_MAX_CPU_ISA: onednn,
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
