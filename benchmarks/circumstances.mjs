import { addon } from '../dist/esm/native/load.js';
import { machine, revision } from './machine.mjs';

/** Where and with what a figure of ours alone was measured. */
export function circumstances() {
  const native = addon();
  return {
    machine: { ...machine(), simdLevel: native.simdLevel() },
    versions: { node: process.versions.node, polydomain: native.version },
    ...revision(),
    date: new Date().toISOString(),
    threads: native.threads(),
  };
}
