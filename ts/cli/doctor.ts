import { addon } from '../native/load.js';

/** What this installation is and runs on. */
export function doctor() {
  const native = addon();
  return {
    version: native.version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    simd: native.simdLevel(),
    simdSupported: native.supportedSimdLevels(),
    threads: native.threads(),
    gpu: 'none: this version computes on the CPU only',
    ops: native.ops().length,
  };
}
