import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machine, peerSimdSettings, revision } from './machine.js';
import { Measurement, turnsOf } from './measurement.js';
import { missing, noteOn, ours, type PeerName } from './peers.js';
import type { BenchmarkResult, ShapeResult } from './result.js';
import { type ShapeName, shapes } from './shapes.js';
import { Undisturbed } from './undisturbed.js';

export interface BenchmarkOptions {
  readonly shapes: readonly ShapeName[];
  /** Beside polydomain; those that are not installed are left out. */
  readonly peers: readonly PeerName[];
  readonly threads: number;
  readonly rounds: number;
  /** Seconds to wait, all in all, for other programs to be done, and to repeat what they disturbed. */
  readonly patience: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: BenchmarkEvent) => void;
}

export type BenchmarkEvent =
  | { readonly kind: 'missing'; readonly peer: PeerName; readonly install: string }
  | { readonly kind: 'failed'; readonly peer: PeerName; readonly error: string }
  /** A peer's turn begins; `done` of `total` are over. */
  | {
      readonly kind: 'turn';
      readonly shape: ShapeName;
      readonly what: string;
      readonly peer: PeerName;
      readonly done: number;
      readonly total: number;
    };

/**
 * Times polydomain beside its peers: train steps, scored batches, single rows, many callers. Throws PeerError
 * when polydomain itself fails, and the signal's reason once it is aborted; a peer that fails is left out and
 * told of. No peer's process and no file of theirs outlives it.
 */
export async function benchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const temporary = await mkdtemp(join(tmpdir(), 'polydomain-benchmark-'));
  try {
    return await measure(options, temporary);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function measure(options: BenchmarkOptions, temporary: string): Promise<BenchmarkResult> {
  const { threads, rounds, signal, onEvent = () => {} } = options;
  const undisturbed = new Undisturbed(options.patience, signal);
  const absent: Partial<Record<PeerName, string>> = {};
  const failed: Partial<Record<PeerName, string>> = {};
  const versions: Partial<Record<PeerName, string>> = {};
  const results: Partial<Record<ShapeName, ShapeResult>> = {};
  for (const peer of options.peers) {
    const install = missing(peer);
    if (install === undefined) continue;
    absent[peer] = install;
    onEvent({ kind: 'missing', peer, install });
  }
  const names = [ours, ...options.peers.filter((peer) => !absent[peer])];
  const turns = names.reduce((sum, name) => sum + turnsOf(name, rounds), 0);
  let done = 0;
  let simdLevel = '';
  for (const [s, shape] of options.shapes.entries()) {
    done = s * turns;
    const measurement = new Measurement(shapes[shape], {
      ...{ threads, rounds, temporary, undisturbed },
      ...(signal ? { signal } : {}),
      onTurn: (what, peer) => {
        onEvent({ kind: 'turn', shape, what, peer, done, total: options.shapes.length * turns });
        done++;
      },
      onFailure: (peer, error) => {
        failed[peer] = error;
        onEvent({ kind: 'failed', peer, error });
      },
    });
    results[shape] = await measurement.run(names.filter((name) => !failed[name]));
    Object.assign(versions, measurement.versions);
    simdLevel = measurement.simdLevel;
  }
  const notes = names.flatMap((name) => {
    const note = noteOn(name);
    return note === undefined ? [] : [[name, note] as const];
  });
  return {
    machine: { ...machine(), simdLevel },
    peerSettings: peerSimdSettings(),
    versions: { node: process.versions.node, ...versions },
    notes: Object.fromEntries(notes),
    ...revision(),
    date: new Date().toISOString(),
    threads,
    rounds,
    missing: absent,
    failed,
    shapes: results,
  };
}
