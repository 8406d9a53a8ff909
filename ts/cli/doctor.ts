import type { Addon } from '../native/addon.js';
import { addon, libraryVersion } from '../native/load.js';

/** The document of `doctor --json`. */
export interface DoctorReport {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  /** 'loaded', or why not; what follows is known of a loaded one. */
  readonly addon: string;
  readonly simd?: string;
  readonly simdSupported?: readonly string[];
  readonly threads?: number;
  readonly gpu?: string;
  readonly ops?: number;
}

/** What this installation is and runs on; also when the addon does not load, and then why. */
export function doctor(): DoctorReport {
  const installation = {
    version: libraryVersion(),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
  let native: Addon;
  try {
    native = addon();
  } catch (error) {
    return { ...installation, addon: `not loaded: ${(error as Error).message}` };
  }
  return {
    ...installation,
    addon: 'loaded',
    simd: native.simdLevel(),
    simdSupported: native.supportedSimdLevels(),
    threads: native.threads(),
    gpu: native.cuda(),
    ops: native.ops().length,
  };
}
