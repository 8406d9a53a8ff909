import { ours, type PeerName, peerNames } from '../benchmark/peers.js';
import type { BenchmarkResult, ShapeResult, Timing } from '../benchmark/result.js';
import type { ShapeName } from '../benchmark/shapes.js';
import { bytes } from './progress.js';

/** A time in the unit that suits it, of three digits. */
export function time(milliseconds: number): string {
  const [value, unit] = milliseconds < 0.1 ? [1000 * milliseconds, 'us'] : [milliseconds, 'ms'];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** A time and how many times ours it is. */
export function beside(milliseconds: number, own: number | undefined): string {
  if (own === undefined) return time(milliseconds);
  const ratio = milliseconds / own;
  return `${time(milliseconds)} (${ratio < 100 ? ratio.toFixed(1) : ratio.toFixed(0)}x)`;
}

/** What was measured with which SIMD level. */
export function circumstances({ machine, peerSettings, threads }: BenchmarkResult): string {
  const forced = Object.keys(peerSettings).length > 0 ? ' (forced)' : '';
  return `${machine.cpu}, ${machine.simdLevel}${forced}, ${threads} threads`;
}

/** The sizes of a shape. */
export function sizes({ shape }: ShapeResult): string {
  const { embedding, hidden, batch, users, items } = shape;
  return `embedding ${embedding}, hidden ${hidden.join('-')}, ${batch} rows; ${users} users, ${items} items`;
}

const columns = [
  'train step',
  'score batch',
  'score a row',
  '99th percentile',
  '64 callers',
  'latest timer',
  'peak memory',
] as const;

/**
 * One shape as rows of cells, headings first, then a row for polydomain, each peer that was asked for, and
 * the floor. A peer that is not installed or failed has its row too.
 */
export function summary(result: BenchmarkResult, name: ShapeName): string[][] {
  const shape = result.shapes[name] as ShapeResult;
  const asked = peerNames.filter(
    (peer) => peer in shape.peakBytes || peer in result.missing || peer in result.failed,
  );
  const { floor } = shape;
  const floors = [floor?.train, floor?.score].map((least, i) =>
    least
      ? beside(least.milliseconds, [shape.train, shape.score][i]?.[ours]?.median)
      : 'without pytorch unknown',
  );
  return [
    [name, ...columns],
    ...asked.map((peer) => [peer, ...cells(result, shape, peer)]),
    ['floor', ...floors, ...Array<string>(columns.length - floors.length).fill('')],
  ];
}

function cells(result: BenchmarkResult, shape: ShapeResult, peer: PeerName): string[] {
  const empty = peer in result.missing ? 'absent' : peer in result.failed ? 'failed' : '-';
  const median = (of: Partial<Record<PeerName, Timing>>): string => {
    const timing = of[peer];
    if (!timing) return empty;
    return peer === ours ? time(timing.median) : beside(timing.median, of[ours]?.median);
  };
  const { train, score, row, callers, peakBytes } = shape;
  const p99 = row[peer]?.p99;
  const many = callers[peer];
  const peak = peakBytes[peer];
  return [
    ...[train, score, row].map(median),
    p99 === undefined ? empty : time(p99),
    many === undefined ? empty : `${many.rowsPerSecond}/s`,
    many === undefined ? empty : time(many.delayMilliseconds.max),
    peak === undefined ? empty : bytes(peak),
  ];
}

/** What is to be known of the figures: sentences. */
export function remarks({ notes, missing, failed, shapes }: BenchmarkResult): string[] {
  const disturbed = Object.values(shapes)
    .flatMap(({ train, score, row }) => [train, score, row].flatMap((of) => Object.values(of)))
    .reduce((sum, { disturbedRounds }) => sum + disturbedRounds, 0);
  const of = (texts: Readonly<Partial<Record<PeerName, string>>>, how = ''): string[] =>
    Object.entries(texts).map(([peer, text]) => `${peer}${how}: ${text}`);
  return [
    ...of(notes),
    ...of(missing, ' is not installed'),
    ...of(failed, ' failed'),
    ...(disturbed > 0 ? [`${disturbed} rounds were disturbed by other programs`] : []),
  ];
}
