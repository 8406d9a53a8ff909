import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { packageRoot } from '../native/load.js';

/** What a figure depends on beside the code and the versions. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
  };
}

export interface Revision {
  readonly commit: string;
  /** Whether sources differ from it. */
  readonly uncommitted: boolean;
}

/** The commit of a clone; nothing of an installed package. */
export function revision(): Revision | undefined {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: packageRoot(), encoding: 'utf8', stdio: 'pipe' }).trim();
  const sources = ['CMakeLists.txt', 'cmake', 'native', 'bindings', 'ts'];
  try {
    // An installed package lies in the user's own repository.
    if (git('rev-parse', '--show-prefix') !== '') return undefined;
    return {
      commit: git('rev-parse', 'HEAD'),
      uncommitted: git('status', '--porcelain', '--', ...sources) !== '',
    };
  } catch {
    return undefined;
  }
}

/**
 * Settings that hold PyTorch, TensorFlow and their libraries to the SIMD level that POLYDOMAIN_SIMD forces on
 * us, as on a machine that has no more. Without POLYDOMAIN_SIMD all use what the machine has.
 */
export function peerSimdSettings(): Record<string, string> {
  const settings = {
    avx2: ['avx2', 'AVX2', 'AVX2'],
    sse4: ['default', 'SSE4_2', 'SSE41'],
    scalar: ['default', 'SSE4_2', 'SSE41'],
  }[process.env.POLYDOMAIN_SIMD ?? ''];
  if (!settings) return {};
  const [aten, mkl, onednn] = settings as [string, string, string];
  return {
    ATEN_CPU_CAPABILITY: aten,
    MKL_ENABLE_INSTRUCTIONS: mkl,
    ONEDNN_MAX_CPU_ISA: onednn,
  };
}
