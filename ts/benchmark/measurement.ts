import { type Floor, measureFloor } from './floor.js';
import { type Peer, PeerError } from './peer.js';
import { ours, type PeerName, start, type Task, tasksOf } from './peers.js';
import type { ByPeer, ShapeResult, Throughput, Timing } from './result.js';
import type { Shape } from './shapes.js';
import { median, quantile, rounded } from './statistics.js';
import type { Undisturbed } from './undisturbed.js';

export interface MeasurementOptions {
  readonly threads: number;
  readonly rounds: number;
  /** Of the peers' temporary files. */
  readonly temporary: string;
  /** Ends the peers, and so the measurement. */
  readonly signal?: AbortSignal;
  readonly undisturbed: Undisturbed;
  /** Before each thing that a peer is asked for. */
  readonly onTurn: (what: string, peer: PeerName) => void;
  /** A peer that fails is left out from then on. */
  readonly onFailure: (peer: PeerName, error: string) => void;
}

interface Seconds {
  readonly seconds: number | readonly number[];
}

type TimedTask = Exclude<Task, 'callers'>;

/** A round of one peer takes about this long, in three passes, where a call allows it. */
const roundSeconds = 0.9;
const passes = 3;
const mostCalls = 2000;
const callers = 64;
const callersSeconds = 2;
/** Between logits, which are of the order of 1, of the same rows by the same parameters. */
const tolerance = 1e-3;

const secondsOf = (answer: Seconds): number =>
  typeof answer.seconds === 'number' ? answer.seconds : median(answer.seconds);

const milliseconds = (seconds: number): number => rounded(1000 * seconds);

/** How often to do what takes `seconds`, so that it takes `budget`. */
function repeatsWithin(budget: number, seconds: number, most: number): number {
  return Math.max(1, Math.min(most, Math.round(budget / seconds)));
}

/** How many turns a peer has on a shape. */
export function turnsOf(name: PeerName, rounds: number): number {
  return tasksOf(name).reduce((sum, task) => sum + (task === 'callers' ? 1 : 1 + rounds), 1);
}

/** Polydomain and its peers, set up on one shape, each in a process of its own. */
export class Measurement {
  readonly #peers = new Map<PeerName, Peer>();
  readonly #peakBytes: Partial<Record<PeerName, number>> = {};
  readonly versions: Partial<Record<PeerName, string>> = {};
  simdLevel = '';

  constructor(
    readonly shape: Shape,
    private readonly options: MeasurementOptions,
  ) {}

  /** Times everything that these peers can do. Throws PeerError when polydomain itself fails. */
  async run(names: readonly PeerName[]): Promise<ShapeResult> {
    const end = (): void => {
      for (const peer of this.#peers.values()) void peer.end();
    };
    const { signal } = this.options;
    signal?.addEventListener('abort', end);
    try {
      await this.#setUp(names);
      const train = await this.#time('train');
      const score = await this.#time('score');
      // Vocabularies and the floor's tables weigh in later.
      const peakBytes = { ...this.#peakBytes };
      const row = await this.#time('row');
      const throughput = await this.#throughput();
      const floor = await this.#floor();
      return {
        ...{ shape: this.shape, train, score, row, callers: throughput, peakBytes },
        ...(floor ? { floor } : {}),
      };
    } finally {
      signal?.removeEventListener('abort', end);
      await Promise.all([...this.#peers.values()].map((peer) => peer.end()));
    }
  }

  /** Gives a peer its turn; undefined when it fails. */
  async #turn<Value>(
    what: string,
    name: PeerName,
    body: (peer: Peer) => Promise<Value>,
  ): Promise<Value | undefined> {
    const peer = this.#peers.get(name);
    if (!peer) return undefined;
    const { signal } = this.options;
    signal?.throwIfAborted();
    this.options.onTurn(what, name);
    try {
      return await body(peer);
    } catch (error) {
      signal?.throwIfAborted();
      if (name === ours || !(error instanceof PeerError)) throw error;
      await peer.end();
      this.#peers.delete(name);
      this.options.onFailure(name, error.message);
      return undefined;
    }
  }

  #able(task: Task): PeerName[] {
    return [...this.#peers.keys()].filter((name) => tasksOf(name).includes(task));
  }

  /** Every peer makes the model and scores the same rows, to see that it is the same model. */
  async #setUp(names: readonly PeerName[]): Promise<void> {
    const { shape } = this;
    const { threads, temporary } = this.options;
    let expected: readonly number[] | undefined;
    for (const name of names) {
      this.#peers.set(name, start(name, threads, temporary));
      await this.#turn('set up', name, async (peer) => {
        const setUp = { shape, steps: shape.steps };
        const made = await peer.ask<{ version: string; simdLevel?: string }>('shape', setUp);
        this.versions[name] = made.version;
        if (name === ours) this.simdLevel = made.simdLevel ?? '';
        const { logits } = await peer.ask<{ logits: number[] }>('check');
        expected ??= logits;
        for (const [row, right] of expected.entries()) {
          const logit = logits[row] ?? Number.NaN;
          if (Math.abs(logit - right) <= tolerance) continue;
          throw new PeerError(
            `${name}: row ${row} scores ${logit}; expected ${right}, as ${ours} has it`,
          );
        }
      });
    }
  }

  /** What to ask a peer for in a round, once its memory is touched, threads started and code compiled. */
  async #warmUp(task: TimedTask, peer: Peer): Promise<object> {
    const { shape } = this;
    const twice = async (options: object): Promise<number> => {
      await peer.ask(task, options);
      return secondsOf(await peer.ask<Seconds>(task, options));
    };
    if (task === 'train') {
      const seconds = await twice({ steps: 1, repeats: 1 });
      const steps = repeatsWithin(roundSeconds / passes, seconds, shape.steps);
      const repeats = repeatsWithin(roundSeconds, steps * seconds, passes);
      // A pass over every domain: from then on each row that a step touches has its pages.
      await peer.ask(task, { steps, repeats: steps > 1 ? shape.domains : 1 });
      return { steps, repeats };
    }
    const rows = task === 'score' ? { rows: shape.batch } : {};
    const calls = repeatsWithin(roundSeconds, await twice({ ...rows, calls: 3 }), mostCalls);
    await peer.ask(task, { ...rows, calls });
    return { ...rows, calls };
  }

  /** Rounds in turns; who begins changes from round to round. */
  async #time(task: TimedTask): Promise<ByPeer<Timing>> {
    const { rounds, undisturbed } = this.options;
    const asked = new Map<PeerName, object>();
    for (const name of this.#able(task)) {
      const options = await this.#turn('warm up', name, (peer) => this.#warmUp(task, peer));
      if (options) asked.set(name, options);
    }
    const answers = new Map<PeerName, { answer: Seconds; disturbed: boolean }[]>();
    const names = [...asked.keys()];
    for (let round = 0; round < rounds; round++) {
      for (const turn of names.keys()) {
        const name = names[(turn + round) % names.length] as PeerName;
        const outcome = await this.#turn(task, name, (peer) =>
          undisturbed.run(() => peer.ask<Seconds>(task, asked.get(name))),
        );
        if (!outcome) continue;
        answers.set(name, [...(answers.get(name) ?? []), outcome]);
        this.#peakBytes[name] = outcome.answer.peakRssBytes;
      }
    }
    const whole = [...answers].filter(([name]) => this.#peers.has(name));
    return Object.fromEntries(whole.map(([name, own]) => [name, timing(own)]));
  }

  async #throughput(): Promise<ByPeer<Throughput>> {
    const result: Partial<Record<PeerName, Throughput>> = {};
    const options = { callers, seconds: callersSeconds };
    for (const name of this.#able('callers')) {
      const outcome = await this.#turn('callers', name, (peer) =>
        this.options.undisturbed.run(() => peer.ask<Throughput>('callers', options)),
      );
      if (!outcome) continue;
      const { rowsPerSecond, delayMilliseconds } = outcome.answer;
      result[name] = {
        callers,
        rowsPerSecond: Math.round(rowsPerSecond),
        delayMilliseconds: {
          p99: rounded(delayMilliseconds.p99),
          max: rounded(delayMilliseconds.max),
        },
      };
    }
    return result;
  }

  #floor(): Promise<Floor | undefined> {
    return this.#turn('floor', 'pytorch', (pytorch) =>
      measureFloor(this.shape, this.#peers.get(ours) as Peer, pytorch, this.options.undisturbed),
    );
  }
}

function timing(rounds: readonly { answer: Seconds; disturbed: boolean }[]): Timing {
  const medians = rounds.map(({ answer }) => milliseconds(secondsOf(answer)));
  const tails = rounds.flatMap(({ answer: { seconds } }) =>
    typeof seconds === 'number' ? [] : [milliseconds(quantile(seconds, 0.99))],
  );
  return {
    median: rounded(median(medians)),
    ...(tails.length > 0 ? { p99: rounded(median(tails)) } : {}),
    rounds: medians,
    disturbedRounds: rounds.filter(({ disturbed }) => disturbed).length,
  };
}
