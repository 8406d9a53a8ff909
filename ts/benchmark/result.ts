import type { Floor } from './floor.js';
import type { Machine, Revision } from './machine.js';
import type { PeerName } from './peers.js';
import type { Shape, ShapeName } from './shapes.js';

/** Milliseconds. */
export interface Timing {
  /** Of the rounds. */
  readonly median: number;
  /** Where calls were timed one by one: the 99th percentile of a round's, the median round's. */
  readonly p99?: number;
  /** The median of each round. */
  readonly rounds: readonly number[];
  /** Rounds that had to count although other programs worked meanwhile: 0, or the figure says little. */
  readonly disturbedRounds: number;
}

export interface Throughput {
  readonly callers: number;
  readonly rowsPerSecond: number;
  /** How late the timers of the event loop fired meanwhile. */
  readonly delayMilliseconds: { readonly p99: number; readonly max: number };
}

export type ByPeer<Value> = Readonly<Partial<Record<PeerName, Value>>>;

export interface ShapeResult {
  readonly shape: Shape;
  /** A train step. */
  readonly train: ByPeer<Timing>;
  /** A scored batch, from ids to logits. */
  readonly score: ByPeer<Timing>;
  /** One row: predictSync, and what others have for it. */
  readonly row: ByPeer<Timing>;
  /** Many callers at once, each of one row at a time. */
  readonly callers: ByPeer<Throughput>;
  /** Of each process, after training and scoring batches. */
  readonly peakBytes: ByPeer<number>;
  /** Nothing without PyTorch, which measures the random rows. */
  readonly floor?: Floor;
}

/** What polydomain benchmark writes. */
export interface BenchmarkResult extends Partial<Revision> {
  readonly machine: Machine & { readonly simdLevel: string };
  /** What held libraries to the SIMD level that POLYDOMAIN_SIMD forced on us. */
  readonly peerSettings: Readonly<Record<string, string>>;
  readonly versions: ByPeer<string> & { readonly node: string };
  /** What is to be known of figures. */
  readonly notes: ByPeer<string>;
  readonly date: string;
  readonly threads: number;
  readonly rounds: number;
  /** The command that installs a peer that was not there. */
  readonly missing: ByPeer<string>;
  readonly failed: ByPeer<string>;
  readonly shapes: Readonly<Partial<Record<ShapeName, ShapeResult>>>;
}
