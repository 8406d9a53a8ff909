import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import type { SplitName } from '../data/types.js';
import { CheckpointError, ConfigError, TrainingError } from '../errors.js';
import { writeFileAtomic } from '../io/atomic.js';
import { type DomainMetrics, type SplitMetrics, summarize } from '../metrics/index.js';
import type { NativeCommand, NativeSession } from '../native/addon.js';
import { addon } from '../native/load.js';
import type { Model } from '../nn/model.js';
import type { Optimizer } from '../optim/index.js';
import { Scorer } from '../serve/scorer.js';
import type { Strategy } from '../strategies/types.js';
import { Executor } from './executor.js';

export type FitEvent =
  | { readonly kind: 'start'; readonly expectedBytes: number; readonly commands: number }
  | {
      readonly kind: 'progress';
      readonly epoch: number;
      readonly done: number;
      readonly total: number;
    }
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      readonly loss: number;
      readonly validation: SplitMetrics;
      readonly best: boolean;
      readonly seconds: number;
    }
  | { readonly kind: 'checkpoint'; readonly path: string };

export interface FitOptions {
  readonly strategy: Strategy;
  readonly optimizer: Optimizer;
  readonly batchSize?: number;
  readonly epochs?: number;
  /** Epochs without a better mean validation AUC before training stops. */
  readonly patience?: number;
  readonly seed?: number;
  /** Threads of this run; by default those of POLYDOMAIN_THREADS. */
  readonly threads?: number;
  readonly onEvent?: (event: FitEvent) => void;
  /** Aborting saves a checkpoint (with `checkpoints`) and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Folder of the checkpoints; one is written after each epoch and on abort. */
  readonly checkpoints?: string;
  /** Go on from the folder's checkpoint, bit for bit as if never interrupted. */
  readonly resume?: boolean;
}

export interface EpochRecord {
  readonly epoch: number;
  readonly loss: number;
  readonly validationAuc: number;
}

/** A finished training: the model holds its best state. */
export interface FitResult {
  readonly model: Model;
  readonly metrics: { readonly validation: SplitMetrics; readonly test: SplitMetrics };
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  readonly seconds: number;
  scorer(domain: string): Scorer;
}

/** What a checkpoint holds beside the native state: where in which epoch, and the history. */
interface Progress {
  readonly format: 'polydomain-checkpoint';
  readonly version: 1;
  readonly fingerprint: string;
  readonly native: string;
  readonly epoch: number;
  readonly commandsDone: number;
  readonly step: number;
  readonly losses: readonly [number, number];
  readonly history: readonly EpochRecord[];
  readonly best: { readonly epoch: number; readonly auc: number } | null;
}

const bestMark = -1;
const splits: Readonly<Record<SplitName, number>> = { train: 0, validation: 1, test: 2 };

/**
 * Trains a model with a strategy, keeps the state with the best mean validation AUC and scores it
 * on the test part. Training runs natively off the event loop. Throws ConfigError, DataError,
 * TrainingError (a loss that is not finite: names the domain and the step) and CheckpointError.
 */
export async function fit(model: Model, data: Dataset, options: FitOptions): Promise<FitResult> {
  const run = new Fit(model, data, options);
  try {
    return await run.run();
  } finally {
    run.dispose();
  }
}

class Fit {
  readonly #started = performance.now();
  readonly #batchSize: number;
  readonly #epochs: number;
  readonly #patience: number;
  readonly #seed: number;
  readonly #session: NativeSession;
  readonly #executor: Executor;
  readonly #innerOptimizers: number[];
  #history: EpochRecord[] = [];
  #best: { epoch: number; auc: number } | null = null;
  #losses: [number, number] = [0, 0];

  constructor(
    private readonly model: Model,
    private readonly data: Dataset,
    private readonly options: FitOptions,
  ) {
    const { batchSize = 1024, epochs = 10, patience = 3, seed = 0, strategy } = options;
    for (const [key, value] of Object.entries({ batchSize, epochs, patience })) {
      if (Number.isInteger(value) && value >= 1) continue;
      throw new ConfigError(`fit: ${key} ${value}; expected an integer of 1 at least`);
    }
    if (!(Number.isInteger(seed) && seed >= 0)) {
      throw new ConfigError(`fit: seed ${seed}; expected an integer of 0 at least`);
    }
    if (JSON.stringify(model.schema) !== JSON.stringify(data.schema)) {
      throw new ConfigError('fit: the model was made for another schema than the data has');
    }
    this.#batchSize = batchSize;
    this.#epochs = epochs;
    this.#patience = patience;
    this.#seed = seed;
    const { graph, output, loss, space } = model.compile();
    const { overlays } = strategy;
    if (overlays) space.configureOverlays(overlays.combine, overlays.start, overlays.specific);
    const { threads } = options;
    this.#session = new (addon().Session)(space, { batchSize, seed, ...(threads && { threads }) });
    for (const name of Object.keys(splits) as SplitName[]) this.#session.addSplit(data.split(name));
    const optimizers = [options.optimizer, ...(strategy.optimizers ?? [])];
    this.#innerOptimizers = optimizers.map((spec) => this.#session.addOptimizer(spec));
    this.#session.addTrainingProgram(graph, output, loss, ['all']);
    this.#session.setEvaluationProgram(graph, output, loss);
    this.#executor = new Executor(this.#session, options.signal);
  }

  dispose(): void {
    this.#session.dispose();
  }

  async run(): Promise<FitResult> {
    let progress = this.options.resume ? await this.#load() : undefined;
    this.options.onEvent?.({
      kind: 'start',
      expectedBytes: this.#expectedBytes(),
      commands: [...this.#commands(0)].length,
    });
    for (let epoch = progress?.epoch ?? 0; epoch < this.#epochs; epoch++) {
      if (this.#stopped()) break;
      await this.#epoch(epoch, progress);
      progress = undefined;
    }
    if (this.#best) await this.#executor.run([{ kind: 'restore', target: bestMark }]);
    const validation = await this.#evaluate('validation');
    const test = await this.#evaluate('test');
    const { model, data } = this;
    return {
      model,
      metrics: { validation, test },
      history: this.#history,
      bestEpoch: this.#best?.epoch ?? 0,
      seconds: (performance.now() - this.#started) / 1000,
      scorer: (domain) => new Scorer(model, data, domain),
    };
  }

  #stopped(): boolean {
    const last = this.#history.at(-1)?.epoch ?? -1;
    return this.#best !== null && last - this.#best.epoch >= this.#patience;
  }

  /** An epoch's commands: of the strategy, with a number for every pass. */
  *#commands(epoch: number): Generator<NativeCommand> {
    let draws = 0;
    let passes = 0;
    const context = {
      epoch,
      domains: this.data.schema.domains.length,
      shuffle: (count: number) => addon().permutation(count, this.#seed, `epoch ${epoch}`, draws++),
      optimizer: (index: number) => {
        const found = this.#innerOptimizers[index];
        if (found !== undefined) return found;
        throw new ConfigError(`the strategy has no optimizer ${index}`);
      },
    };
    for (const command of this.options.strategy.epoch(context)) {
      yield command.kind === 'run' ? { ...command, pass: epoch * 2 ** 32 + passes++ } : command;
    }
  }

  async #epoch(epoch: number, progress: Progress | undefined): Promise<void> {
    const begun = performance.now();
    const commands = [...this.#commands(epoch)];
    const skipped = progress?.commandsDone ?? 0;
    const rest = commands.slice(skipped);
    const first = rest[0];
    if (progress && progress.step > 0 && first) rest[0] = { ...first, firstStep: progress.step };
    this.#losses = progress ? [...progress.losses] : [0, 0];
    const outcome = await this.#named(() =>
      this.#executor.run(rest, (command, result, done) => {
        if (command.kind === 'run') {
          this.#losses[0] += result.loss * result.rows;
          this.#losses[1] += result.rows;
        }
        if (done) {
          this.options.onEvent?.({
            kind: 'progress',
            epoch,
            done: skipped + done,
            total: commands.length,
          });
        }
      }),
    );
    if (outcome.aborted) {
      await this.#save(epoch, skipped + outcome.completed, outcome.step);
      throw this.options.signal?.reason;
    }
    const validation = await this.#evaluate('validation');
    const auc = validation.auc.mean;
    const best = this.#best === null || auc > this.#best.auc;
    if (best) {
      // The best state is an open mark: it costs what changed since.
      if (this.#best) await this.#executor.run([{ kind: 'release', target: bestMark }]);
      await this.#executor.run([{ kind: 'mark', target: bestMark }]);
      this.#best = { epoch, auc };
    }
    const loss = this.#losses[0] / this.#losses[1];
    this.#history.push({ epoch, loss, validationAuc: auc });
    const seconds = (performance.now() - begun) / 1000;
    this.options.onEvent?.({ kind: 'epoch', epoch, loss, validation, best, seconds });
    await this.#save(epoch + 1, 0, 0);
  }

  async #evaluate(split: SplitName): Promise<SplitMetrics> {
    const own = this.options.strategy.overlays !== undefined;
    const scores: DomainMetrics[] = [];
    const commands = this.data.schema.domains.map(
      (_, domain): NativeCommand => ({
        kind: 'evaluate',
        split: splits[split],
        domain,
        overlay: own ? domain : -1,
      }),
    );
    await this.#executor.run(
      commands,
      (_, { auc, loss, rows }) => {
        scores.push({ auc: Number.isNaN(auc) ? undefined : auc, loss, rows });
      },
      false,
    );
    return summarize(this.data.schema.domains, scores);
  }

  /** Native errors know a domain's index; users know its name. */
  async #named<Result>(body: () => Promise<Result>): Promise<Result> {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof TrainingError)) throw error;
      const message = error.message.replace(
        /^domain (\d+)/,
        (_, index: string) => `domain '${this.data.schema.domains[Number(index)]}'`,
      );
      throw new TrainingError(`${message} (lower the learning rate, or look for outliers)`);
    }
  }

  /** What the run will hold at its most: parameters, optimizer state and domains' values. */
  #expectedBytes(): number {
    const { optimizer, strategy } = this.options;
    const states = { sgd: optimizer.momentum > 0 ? 1 : 0, adagrad: 1, adam: 2, adamw: 2 };
    let dense = 0;
    let total = 0;
    let rowBytes = 0;
    for (const { kind, shape } of [...this.model.collect().values()].map((p) => p.spec())) {
      const bytes = 4 * shape.reduce((product, size) => product * size, 1);
      total += bytes * (1 + states[optimizer.kind]);
      if (kind === 'table') rowBytes += 4 * (shape[1] ?? 1);
      else dense += bytes;
    }
    if (!strategy.overlays) return total;
    // Own and helpers' rows at most; twice, as the best state is kept beside them.
    const touched = 6 * this.data.train.rows * rowBytes;
    return total + 2 * (this.data.schema.domains.length * dense + touched);
  }

  #fingerprint(): string {
    const { strategy, optimizer } = this.options;
    return JSON.stringify({
      strategy: { name: strategy.name, options: strategy.options },
      optimizer,
      batchSize: this.#batchSize,
      seed: this.#seed,
      schema: this.data.schema,
      rows: this.data.train.rows,
    });
  }

  async #save(epoch: number, commandsDone: number, step: number): Promise<void> {
    const folder = this.options.checkpoints;
    if (!folder) return;
    await mkdir(folder, { recursive: true });
    // Two native files take turns: progress.json names the one that is complete.
    const native = `state-${epoch % 2}-${commandsDone % 2}.bin`;
    await this.#session.save(join(folder, native));
    const progress: Progress = {
      format: 'polydomain-checkpoint',
      version: 1,
      fingerprint: this.#fingerprint(),
      native,
      epoch,
      commandsDone,
      step,
      losses: this.#losses,
      history: this.#history,
      best: this.#best,
    };
    const path = join(folder, 'progress.json');
    await writeFileAtomic(path, `${JSON.stringify(progress)}\n`);
    this.options.onEvent?.({ kind: 'checkpoint', path });
  }

  async #load(): Promise<Progress | undefined> {
    const folder = this.options.checkpoints;
    if (!folder) throw new ConfigError('fit: resume; expected the folder of the checkpoints');
    const path = join(folder, 'progress.json');
    let progress: Progress;
    try {
      progress = JSON.parse(await readFile(path, 'utf8')) as Progress;
    } catch (cause) {
      throw new CheckpointError(
        `'${path}' cannot be read (${(cause as Error).message}); expected the checkpoint of a run`,
        { cause },
      );
    }
    if (progress.format !== 'polydomain-checkpoint' || progress.version !== 1) {
      throw new CheckpointError(`'${path}' is not a checkpoint of this version`);
    }
    if (progress.fingerprint !== this.#fingerprint()) {
      throw new CheckpointError(
        `'${path}' belongs to another run; expected the same strategy, optimizer, batch size, seed and data`,
      );
    }
    await this.#session.load(join(folder, progress.native));
    this.#history = [...progress.history];
    this.#best = progress.best && { ...progress.best };
    return progress;
  }
}
