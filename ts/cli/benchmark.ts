import { SingleBar } from 'cli-progress';
import { type BenchmarkEvent, benchmark } from '../benchmark/benchmark.js';
import { ours, peerNames } from '../benchmark/peers.js';
import type { BenchmarkResult, ShapeResult } from '../benchmark/result.js';
import { type ShapeName, shapeNames } from '../benchmark/shapes.js';
import { ConfigError } from '../errors.js';
import { requirePlace, writeJsonAtomic } from '../io/atomic.js';
import { addon } from '../native/load.js';
import { suggest } from '../nearest.js';
import { circumstances, remarks, sizes, summary } from './benchmark-summary.js';
import { table } from './table.js';

export interface BenchmarkCommandOptions {
  readonly shapes?: readonly string[];
  /** false: none. */
  readonly peers?: readonly string[] | false;
  readonly threads?: number;
  readonly rounds: number;
  readonly patience: number;
  readonly output?: string;
  readonly signal: AbortSignal;
}

function known<Name extends string>(
  option: string,
  names: readonly string[],
  all: readonly Name[],
): Name[] {
  return names.map((name) => {
    const found = all.find((one) => one === name);
    if (found) return found;
    throw new ConfigError(`${option}: '${name}'${suggest(name, all)}`);
  });
}

/** Shows on stderr whose turn it is: a bar on a terminal, else a line when another thing begins. */
function showTurns(): { onEvent(event: BenchmarkEvent): void; stop(): void } {
  const bar = new SingleBar({
    format: '{bar} {percentage}%  {shape}, {what}: {peer}',
    stream: process.stderr,
    hideCursor: true,
    gracefulExit: false,
  });
  const terminal = process.stderr.isTTY;
  let open = false;
  let last = '';
  const stop = (): void => {
    if (open) bar.stop();
    open = false;
  };
  const say = (line: string): void => {
    stop();
    process.stderr.write(`${line}\n`);
  };
  return {
    stop,
    onEvent(event) {
      if (event.kind === 'missing') {
        return say(
          `${event.peer} is not installed and is left out. To install it:\n  ${event.install}`,
        );
      }
      if (event.kind === 'failed')
        return say(`${event.peer} failed and is left out: ${event.error}`);
      const { shape, what, peer, done, total } = event;
      if (terminal) {
        if (!open) bar.start(total, done, { shape, what, peer });
        open = true;
        bar.update(done, { shape, what, peer });
        return;
      }
      const line = `${shape}, ${what}`;
      if (line !== last) say(`[${done}/${total}] ${line}`);
      last = line;
    },
  };
}

/** Compares polydomain with what else is installed, and writes the result when there is an output. */
export async function runBenchmark(options: BenchmarkCommandOptions): Promise<BenchmarkResult> {
  const others = peerNames.filter((name) => name !== ours);
  const { threads = addon().threads(), rounds, patience, output, signal } = options;
  const chosen = options.peers === false ? [] : known('peers', options.peers ?? others, others);
  const named: ShapeName[] = known('shapes', options.shapes ?? ['paper', 'small'], shapeNames);
  if (output !== undefined) await requirePlace(output);
  const progress = showTurns();
  try {
    const { onEvent } = progress;
    const result = await benchmark({
      ...{ threads, rounds, patience, signal, onEvent },
      shapes: named,
      peers: chosen,
    });
    if (output !== undefined) {
      await writeJsonAtomic(output, result);
    }
    return result;
  } finally {
    progress.stop();
  }
}

/** The result as tables for people. */
export function benchmarkTable(result: BenchmarkResult): string {
  const tables = (Object.keys(result.shapes) as ShapeName[]).map(
    (name) =>
      `${name}: ${sizes(result.shapes[name] as ShapeResult)}\n${table(summary(result, name))}`,
  );
  const lines = remarks(result).map((line) => `${line}\n`);
  return [`${circumstances(result)}\n`, ...tables, lines.join('')].join('\n');
}
