import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../errors.js';
import { makeFolder, writeFileAtomic } from '../io/atomic.js';
import type { NativeProfile, NativeSession } from '../native/addon.js';
import { addon } from '../native/load.js';

/** A complete event of the Trace Event Format: `ts` and `dur` in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly cat: string;
  readonly ph: 'X';
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

const tracks = { phases: 1, commands: 2, steps: 3 } as const;
const trackNames = { phases: 'phases', commands: 'commands', steps: 'first steps, op by op' };

/** Rows of a native table. */
function* rowsOf(table: Float64Array, columns: number): Generator<readonly number[]> {
  for (let begin = 0; begin < table.length; begin += columns) {
    yield [...table.subarray(begin, begin + columns)];
  }
}

/**
 * Where the time of a fit goes, as a file of the Trace Event Format, which Perfetto and Chrome's
 * trace viewer open. docs/profiling.md describes it.
 */
export class Profile {
  readonly #phases: TraceEvent[] = [];
  #started = 0;
  #session: NativeSession | undefined;
  #native: NativeProfile | undefined;

  /** Throws ConfigError where `path` cannot be a file. */
  constructor(
    private readonly path: string,
    private readonly domains: readonly string[],
  ) {
    let there: Stats | undefined;
    try {
      there = statSync(path, { throwIfNoEntry: false });
    } catch (cause) {
      throw new ConfigError(
        `fit.profile: '${path}' is no path (${(cause as Error).message}); expected that of a file`,
        { cause },
      );
    }
    if (there?.isDirectory()) {
      throw new ConfigError(`fit.profile: '${path}' is a folder; expected the path of a file`);
    }
  }

  /** Records the session's commands from now on. */
  start(session: NativeSession): void {
    session.startProfile();
    this.#session = session;
    this.#started = performance.now();
  }

  /** Times a phase; phases nest. */
  async phase<Result>(name: string, body: () => Promise<Result>): Promise<Result> {
    const begin = performance.now();
    try {
      return await body();
    } finally {
      const [from, to] = [begin, performance.now()].map((time) => 1e6 * (time - this.#started));
      this.#phases.push(event(tracks.phases, name, from as number, to as number));
    }
  }

  /** Takes what the session has recorded: to be called before its end. */
  take(): void {
    this.#native ??= this.#session?.profile();
  }

  /** Writes the file, unless no phase has begun. Throws CheckpointError. */
  async write(): Promise<void> {
    if (!this.#native || this.#phases.length === 0) return;
    const { labels, spans, totals, events } = this.#native;
    const label = (index: number): string => labels[index] as string;
    const spent = new Map<string, { nanoseconds: number; calls: number }>();
    const bySpan: [string, number, number][][] = [];
    for (const [span = 0, index = 0, nanoseconds = 0, calls = 0] of rowsOf(totals, 4)) {
      const name = label(index);
      bySpan[span] ??= [];
      bySpan[span].push([name, nanoseconds, calls]);
      const total = spent.get(name) ?? { nanoseconds: 0, calls: 0 };
      spent.set(name, {
        nanoseconds: total.nanoseconds + nanoseconds,
        calls: total.calls + calls,
      });
    }
    const trace: TraceEvent[] = [...this.#phases];
    let number = 0;
    for (const [index = 0, domain = 0, overlay = 0, commands = 0, begin = 0, end = 0] of rowsOf(
      spans,
      6,
    )) {
      const kind = commands === 1 ? label(index) : undefined;
      const name = kind ? this.#commandName(kind, domain, overlay) : `${commands} commands`;
      trace.push(event(tracks.commands, name, begin, end));
      // Totals stand one after another from the command's begin on.
      let at = begin;
      for (const [part, nanoseconds, calls] of bySpan[number++] ?? []) {
        // What a command spends on itself is what its own event shows.
        if (part !== kind) {
          trace.push(event(tracks.commands, part, at, at + nanoseconds, { calls }));
        }
        at += nanoseconds;
      }
    }
    for (const [index = 0, begin = 0, end = 0] of rowsOf(events, 3)) {
      trace.push(event(tracks.steps, label(index), begin, end));
    }
    const file = {
      traceEvents: [...trackEvents(), ...trace],
      displayTimeUnit: 'ms',
      otherData: {
        polydomain: addon().version,
        simdLevel: addon().simdLevel(),
        totals: [...spent]
          .sort(([, a], [, b]) => b.nanoseconds - a.nanoseconds)
          .map(([name, { nanoseconds, calls }]) => ({ name, seconds: nanoseconds / 1e9, calls })),
      },
    };
    await makeFolder(dirname(this.path));
    await writeFileAtomic(this.path, `${JSON.stringify(file)}\n`);
  }

  #commandName(kind: string, domain: number, overlay: number): string {
    if (domain < 0) return kind;
    const own = overlay < 0 || overlay === domain ? '' : ` for ${this.domains[overlay]}`;
    return `${kind} ${this.domains[domain]}${own}`;
  }
}

/** Between two moments in nanoseconds since the profile began. */
function event(
  tid: number,
  name: string,
  begin: number,
  end: number,
  args?: Readonly<Record<string, unknown>>,
): TraceEvent {
  const cat = 'polydomain';
  const times = { ts: begin / 1000, dur: (end - begin) / 1000 };
  return { name, cat, ph: 'X', pid: 1, tid, ...times, ...(args && { args }) };
}

/** Names and order of the tracks. */
function trackEvents(): object[] {
  return Object.entries(tracks).flatMap(([key, tid]) => [
    {
      name: 'thread_name',
      ph: 'M',
      pid: 1,
      tid,
      args: { name: trackNames[key as keyof typeof tracks] },
    },
    { name: 'thread_sort_index', ph: 'M', pid: 1, tid, args: { sort_index: tid } },
  ]);
}
