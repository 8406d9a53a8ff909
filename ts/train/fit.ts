import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Dataset } from '../data/dataset.js';
import { StreamedSplit } from '../data/streamed.js';
import { type SplitName, splitNames } from '../data/types.js';
import { ConfigError, TrainingError } from '../errors.js';
import { makeFolder, removeUnfinished, writeFileAtomic } from '../io/atomic.js';
import { saveModel } from '../io/run-folder.js';
import type { NativeOptimizer, NativeSession } from '../native/addon.js';
import { addon } from '../native/load.js';
import { suggest } from '../nearest.js';
import { memoryLimit } from '../nn/memory.js';
import { asModel, type BatchModule, type Model } from '../nn/model.js';
import { type Optimizer, optimizerConfig } from '../optim/optimizers.js';
import { blaming, parse } from '../options.js';
import { Predictor } from '../serve/predictor.js';
import { type FinetuneOptions, finetune } from '../strategies/finetune.js';
import { type StagedStrategy, type Strategy, stagesOf } from '../strategies/types.js';
import { Checkpoints, checkpointIn, type Progress, splitIn } from './checkpoint.js';
import { evaluateSplit } from './evaluate.js';
import { EventLog } from './event-log.js';
import type { EpochRecord, FitEvent } from './events.js';
import { Executor } from './executor.js';
import { expectedSize, requireTrainingMemory } from './expected-size.js';
import { trainingOptions } from './options.js';
import { Profile } from './profile.js';
import type { FinishedStage, RunMetrics } from './result.js';
import { type DomainChoice, Stage, type StageProgress } from './stage.js';
import { takeOver } from './take-over.js';
import { type Trained, trainedOf, warmStart } from './warm-start.js';

export interface FitOptions extends z.input<typeof trainingOptions> {
  /** One of `strategies`, or a user's own. */
  readonly strategy: Strategy | StagedStrategy;
  /** A stage after the strategy: each domain is tuned by itself (MAMDR's public code). */
  readonly finetune?: FinetuneOptions | undefined;
  /** Makes the steps of passes. */
  readonly optimizer: Optimizer;
  /** Gets events as they happen, on the event loop. */
  readonly onEvent?: ((event: FitEvent) => void) | undefined;
  /** Aborting saves a checkpoint (with `runFolder`) and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** A new folder for events.jsonl, checkpoints and, at the end, model and metrics. */
  readonly runFolder?: string | undefined;
  /** Go on from the run folder's checkpoint, bit for bit as if never interrupted. */
  readonly resume?: boolean | undefined;
  /**
   * A trained model whose values the model starts from: a run folder, a result of fit or load. Tables'
   * rows are found by raw value and domain name, so the data may have other ids and domains; new ones keep
   * their fresh start. A resumed run does not read it again.
   */
  readonly from?: string | Predictor | undefined;
  /**
   * `from`, a result of fit or load, hands its memory on instead of copies: tables grow and shrink where they
   * are, and its model is disposed. Where that run had `keepOptimizer`, the optimizer's state goes on as well
   * (docs/data.md, "Data that goes on").
   */
  readonly inPlace?: boolean | undefined;
  /** The result keeps the optimizer's state, as large as the tables or twice that, for a fit `inPlace`. */
  readonly keepOptimizer?: boolean | undefined;
  /** A file of the Trace Event Format gets where the time went; also of a fit that is aborted. */
  readonly profile?: string | undefined;
  /** What config.json of the run folder says. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
}

/** A finished training: the model holds its best state. */
export class FitResult extends Predictor {
  /** @internal Use fit(). */
  constructor(
    model: Model,
    data: Dataset,
    readonly metrics: RunMetrics,
    readonly history: readonly EpochRecord[],
    /** Epoch of the strategy, or of its first stage, whose state was kept. */
    readonly bestEpoch: number,
    readonly seconds: number,
    /** @internal Kept for a fit that goes on from here. */
    readonly optimizers: readonly NativeOptimizer[] = [],
  ) {
    super(model, data.vocabulary);
  }

  /** Writes a folder that load() reads, and metrics.json. Throws ConfigError when it has a model. */
  async save(folder: string): Promise<void> {
    if (existsSync(join(folder, 'model.json'))) {
      throw new ConfigError(`'${folder}' holds a model already; expected a new folder`);
    }
    await writeRun(folder, this);
  }
}

async function writeJson(path: string, content: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(content, null, 2)}\n`);
}

/** model.json goes first and comes last: a folder never holds a mixture of two runs' files. */
async function writeRun(folder: string, result: FitResult): Promise<void> {
  await makeFolder(folder);
  await rm(join(folder, 'model.json'), { force: true });
  await writeJson(join(folder, 'metrics.json'), result.metrics);
  await saveModel(folder, result);
}

/**
 * Trains a model, or any module over batches, with a strategy, keeps the state with the best mean validation AUC and scores it
 * on every part. Training runs natively off the event loop, with the model on lease: using it meanwhile
 * throws BusyError. An aborted or failed fit leaves the model in the middle of its training. Throws ConfigError, DataError,
 * TrainingError (a loss that is not finite: names the domain and the step) and CheckpointError.
 */
export async function fit(
  module: BatchModule,
  data: Dataset,
  options: FitOptions,
): Promise<FitResult> {
  const { from, inPlace, resume, runFolder } = options;
  const resumed = resume && runFolder !== undefined && checkpointIn(runFolder);
  const trained = resumed ? undefined : await sourceOf(from, inPlace);
  const source = trained instanceof Predictor ? trained.model : trained;
  const split = resumed ? await splitIn(runFolder) : source?.split;
  const run = new Fit(asModel(module, data.schema, options.seed), data, options, split);
  await run.open(trained);
  try {
    run.prepare();
    const result = await run.run();
    await run.close();
    return result;
  } catch (error) {
    // What went wrong first is what counts.
    await run.close().catch(() => {});
    throw error;
  }
}

/** What a fit starts from: copies of values, or a model to take over. */
async function sourceOf(
  from: string | Predictor | undefined,
  inPlace = false,
): Promise<Trained | Predictor | undefined> {
  if (!inPlace) return from === undefined ? undefined : trainedOf(from);
  if (from instanceof Predictor) return from;
  throw new ConfigError(
    'fit.inPlace: expected a result of fit or load in fit.from, whose memory it can take over',
  );
}

/**
 * Finds out whether fit() would begin: rejects with its ConfigError for options that do not fit each other, the
 * model or the data, and trains nothing.
 */
export async function checkFit(
  module: BatchModule,
  data: Dataset,
  options: FitOptions,
): Promise<void> {
  const run = new Fit(asModel(module, data.schema, options.seed), data, options);
  await run.open();
  try {
    run.prepare();
    await run.countCommands();
  } finally {
    run.dispose();
  }
}

class Fit {
  readonly #started = performance.now();
  readonly #settings: z.output<typeof trainingOptions>;
  #session!: NativeSession;
  #executor!: Executor;
  readonly #optimizer: Optimizer;
  readonly #plan: Strategy[];
  #heads: readonly string[] = [];
  #stages: readonly Stage[] = [];
  /** Of the run that this one takes over. */
  #kept: readonly NativeOptimizer[] = [];
  /** Of the warm start. */
  #warnings: readonly string[] = [];
  readonly #choice: DomainChoice;
  #checkpoints: Checkpoints | undefined;
  #history: EpochRecord[] = [];
  #finished: FinishedStage[] = [];
  #lastCheckpoint = performance.now();
  #events: EventLog | undefined;
  readonly #profile: Profile | undefined;

  constructor(
    private readonly model: Model,
    private readonly data: Dataset,
    private readonly options: FitOptions,
    split: readonly string[] = [],
  ) {
    const {
      strategy,
      optimizer,
      finetune: tuning,
      onEvent,
      signal,
      runFolder,
      resume,
      profile,
      config,
      from: _,
      inPlace: __,
      keepOptimizer,
      ...rest
    } = options;
    this.#settings = parse(trainingOptions, rest, 'fit');
    this.#optimizer = parse(optimizerConfig, optimizer, 'fit.optimizer');
    this.#plan = typeof strategy === 'object' && strategy ? [...stagesOf(strategy)] : [];
    const [first] = this.#plan;
    if (!first || this.#plan.some(({ epoch }) => typeof epoch !== 'function')) {
      throw new ConfigError('fit.strategy: missing; expected one of strategies, or your own');
    }
    model.requireSchema(data.schema);
    this.#choice = this.#chosen();
    if (tuning && strategy.name === 'separate') {
      throw new ConfigError(
        'fit.finetune: not with separate, whose domains are trained by themselves already',
      );
    }
    this.#profile = profile === undefined ? undefined : new Profile(profile, data.schema.domains);
    if (tuning) this.#plan.push(finetune(tuning, this.#plan.at(-1) as Strategy));
    requireTrainingMemory(model, data, this.#optimizers);
    model.weightLosses(this.#plan.some(({ weightedLoss }) => weightedLoss));
    if (split.length > 0) model.splitHeads(split);
    if ('heads' in strategy && strategy.heads) {
      this.#heads = model.splitHeads(strategy.heads === 'last' ? undefined : strategy.heads);
    }
    if (keepOptimizer && this.#plan.length > 1) {
      throw new ConfigError(
        `fit.keepOptimizer: with ${this.#plan.length} stages, each of its own; expected one`,
      );
    }
  }

  /** Takes the model on lease, with what it starts from. Throws ConfigError, BusyError. */
  async open(trained?: Trained | Predictor): Promise<void> {
    const { model, data } = this;
    const { signal, runFolder } = this.options;
    if (trained instanceof Predictor) {
      this.#kept = trained instanceof FitResult ? trained.optimizers : [];
      this.#warnings = await takeOver(model, data.vocabulary, trained, this.#kept);
    }
    const { space } = await model.open();
    blaming('strategy.specific', () => model.configureOverlays(this.#plan[0]?.overlays));
    if (trained && !(trained instanceof Predictor)) {
      this.#warnings = warmStart(model, data.vocabulary, trained);
    }
    const { batchSize, clipNorm, classWeights, seed, threads } = this.#settings;
    this.#session = new (addon().Session)(space, {
      batchSize,
      seed,
      ...(clipNorm && { clipNorm }),
      ...(classWeights && { classWeights }),
      ...(threads && { threads }),
      spillFolder: runFolder ?? tmpdir(),
      lease: true,
    });
    this.#profile?.start(this.#session);
    this.#executor = new Executor(this.#session, signal);
    this.#events = runFolder === undefined ? undefined : new EventLog(runFolder);
    this.#checkpoints =
      runFolder === undefined
        ? undefined
        : new Checkpoints(join(runFolder, 'checkpoints'), this.#fingerprint(), addon().simdLevel());
  }

  /** Of all stages: the passes' and the strategies' own. */
  get #optimizers(): Optimizer[] {
    return this.#plan.flatMap(({ optimizer = this.#optimizer, optimizers = [] }) => [
      optimizer,
      ...optimizers,
    ]);
  }

  /** Domains by index instead of by name. Throws ConfigError. */
  #chosen(): DomainChoice {
    const { target, domainOrder } = this.#settings;
    const { vocabulary, schema } = this.data;
    const { domains } = schema;
    const indexOf = (name: string, key: string): number => {
      if (vocabulary.hasDomain(name)) return vocabulary.domain(name);
      throw new ConfigError(`fit.${key}: '${name}'${suggest(name, domains)}`);
    };
    const chosen = target === undefined ? undefined : indexOf(target, 'target');
    if (domainOrder === 'shuffled') return { target: chosen, order: undefined };
    if (domainOrder === 'fixed') return { target: chosen, order: Int32Array.from(domains.keys()) };
    const order = domainOrder.map((name) => indexOf(name, 'domainOrder'));
    const given = new Set(chosen === undefined ? order : [...order, chosen]);
    if (given.size < domains.length || new Set(order).size < order.length) {
      throw new ConfigError(
        `fit.domainOrder: ${order.length} names; expected each of ${domains.length} domains once`,
      );
    }
    return { target: chosen, order: Int32Array.from(order) };
  }

  /** Makes the stages. Throws ConfigError. */
  prepare(): void {
    const { data, model } = this;
    const compiled = model.compile();
    const { graph, output } = compiled;
    const { weighted } = data;
    const { loss } = weighted ? compiled.weighted : compiled;
    const { trainingLoss } = weighted || this.#settings.classWeights ? compiled.weighted : compiled;
    for (const name of splitNames) this.#session.addSplit(data.split(name));
    this.#session.setEvaluationProgram(graph, output, loss);
    this.#stages = this.#plan.map((strategy, index) => {
      const { optimizer = this.#optimizer, gradients, domainsStop, overlays } = strategy;
      // What may not be specific is shared: where domains train by themselves they leave it alone.
      const own = domainsStop && overlays ? [...overlays.specific, ...model.buffers] : ['all'];
      const patterns = strategy.trained === 'heads' ? this.#heads : (strategy.trained ?? own);
      const train = this.#session.addTrainingProgram(graph, output, trainingLoss, patterns);
      const gradient = gradients
        ? this.#session.addGradientProgram(graph, output, trainingLoss, patterns)
        : train;
      return new Stage(index, strategy, optimizer, { train, gradient }, this.#context(index));
    });
  }

  /** Of the first epoch. Throws ConfigError where the strategy of any stage finds its options wrong. */
  async countCommands(): Promise<number> {
    const counts: number[] = [];
    for (const stage of this.#stages) counts.push(await stage.count());
    return counts[0] ?? 0;
  }

  /** Ends the session, and writes the profile if one was asked for. */
  async close(): Promise<void> {
    this.dispose();
    await this.#profile?.write();
  }

  dispose(): void {
    this.#profile?.take();
    this.#session.dispose();
  }

  #phase<Result>(name: string, body: () => Promise<Result>): Promise<Result> {
    return this.#profile ? this.#profile.phase(name, body) : body();
  }

  async run(): Promise<FitResult> {
    const { runFolder, strategy } = this.options;
    const { model, data } = this;
    // Before anything is written: a strategy may find its options wrong.
    const commands = await this.countCommands();
    let from = await this.#begin();
    const overlays = this.#stages.at(-1)?.strategy.overlays;
    const { overlayBudget } = this.#settings;
    const size = expectedSize(
      model,
      data,
      this.#optimizers,
      overlays,
      strategy.options,
      overlayBudget,
    );
    this.#emit({ kind: 'start', ...size, commands });
    if (size.expectedBytes > memoryLimit()) {
      this.#emit({
        kind: 'warning',
        message: `the run may need ${size.expectedBytes} bytes of memory, and there are ${memoryLimit()}; expected fewer specific parameters, or an overlayBudget`,
      });
    }
    for (const message of this.#warnings) this.#emit({ kind: 'warning', message });
    for (const stage of this.#stages.slice(from?.stage ?? 0)) {
      await this.#runStage(stage, from);
      from = undefined;
    }
    const { name, bestEpoch, ...scores } = this.#finished.at(-1) as FinishedStage;
    const result = new FitResult(
      model,
      data,
      {
        ...scores,
        stages: this.#finished.slice(0, -1).map(({ bestEpoch: _, ...stage }) => stage),
      },
      this.#history,
      (this.#finished[0] as FinishedStage).bestEpoch,
      (performance.now() - this.#started) / 1000,
      this.options.keepOptimizer ? this.#stages[0]?.optimizers : [],
    );
    // The model is its owner's again.
    this.dispose();
    if (runFolder !== undefined) await this.#phase('save', () => writeRun(runFolder, result));
    this.#emit({ kind: 'end', testAuc: scores.test.auc.mean, seconds: result.seconds });
    await this.#events?.flush();
    return result;
  }

  /** Makes the run folder, or reads where it stands. */
  async #begin(): Promise<Progress | undefined> {
    const { runFolder, resume } = this.options;
    const checkpoints = this.#checkpoints;
    if (!checkpoints || runFolder === undefined) {
      if (resume) throw new ConfigError('fit.resume: true; expected a runFolder with it');
      this.#limitOverlays(tmpdir());
      return undefined;
    }
    const finished = existsSync(join(runFolder, 'model.json'));
    if (finished && !checkpoints.exist) {
      throw new ConfigError(
        `fit.runFolder: '${runFolder}' holds a model without a checkpoint; expected a new folder`,
      );
    }
    if (!resume && checkpoints.exist) {
      throw new ConfigError(
        `fit.runFolder: '${runFolder}' holds a run already; expected a new folder, or resume`,
      );
    }
    await makeFolder(runFolder);
    this.#limitOverlays(runFolder);
    const progress = checkpoints.exist ? await checkpoints.load(this.#session) : undefined;
    // From here on the folder is this run's.
    await removeUnfinished(runFolder);
    await removeUnfinished(checkpoints.folder);
    const { config } = this.options;
    if (config) await writeJson(join(runFolder, 'config.json'), config);
    await this.#events?.open();
    if (!progress) return undefined;
    const simd = addon().simdLevel();
    if (progress.simd !== simd) {
      this.#emit({
        kind: 'warning',
        message: `the checkpoint was made at SIMD level ${progress.simd}; at ${simd} results will differ in their last bits`,
      });
    }
    this.#history = [...progress.history];
    this.#finished = [...progress.finished];
    return progress;
  }

  /** What is beyond the budget goes to a file in `folder`. */
  #limitOverlays(folder: string): void {
    this.#session.limitOverlays(folder, this.#settings.overlayBudget ?? -1);
  }

  async #runStage(stage: Stage, from: StageProgress | undefined): Promise<void> {
    const { overlays } = stage.strategy;
    // Stages after the first bring their overlays when their turn comes.
    if (overlays && overlays !== this.model.overlays) {
      this.model.configureLeasedOverlays(overlays, this.#session);
    }
    await this.#phase(stage.strategy.name, () => this.#named(() => stage.run(from)));
    // The checkpoint of its last epoch is that of an abort here, too.
    const score = (split: SplitName) =>
      this.#phase(
        `score ${split}`,
        async () =>
          (await evaluateSplit(this.#executor, this.data.schema.domains, split)) ?? this.#aborted(),
      );
    this.#finished.push({
      name: stage.strategy.name,
      bestEpoch: stage.bestEpoch,
      train: await score('train'),
      validation: await score('validation'),
      test: await score('test'),
    });
  }

  #context(stage: number): ConstructorParameters<typeof Stage>[4] {
    const { epochs, patience, seed, checkpointEvery } = this.#settings;
    const { validateEvery, validationPasses, rollback } = this.#settings;
    const self = this;
    return {
      session: this.#session,
      executor: this.#executor,
      data: this.data,
      banks: this.model.banks,
      epochs,
      patience,
      seed,
      choice: this.#choice,
      validateEvery,
      validationPasses,
      rollback,
      kept: this.#kept,
      get history() {
        return self.#history;
      },
      emit: (event) => this.#emit(event),
      phase: (name, body) => this.#phase(name, body),
      checkpointDue: () =>
        this.#checkpoints
          ? this.#lastCheckpoint + 1000 * checkpointEvery
          : Number.POSITIVE_INFINITY,
      checkpoint: async (progress) => {
        const checkpoints = this.#checkpoints;
        if (!checkpoints) return;
        await this.#events?.flush();
        const checkpoint = {
          stage,
          ...progress,
          history: this.#history,
          finished: this.#finished,
          split: this.model.split,
        };
        const path = await this.#phase('checkpoint', () =>
          checkpoints.save(this.#session, checkpoint),
        );
        this.#lastCheckpoint = performance.now();
        this.#emit({ kind: 'checkpoint', path });
      },
      aborted: () => this.#aborted(),
    };
  }

  #aborted(): never {
    throw this.options.signal?.reason;
  }

  #emit(event: FitEvent): void {
    this.options.onEvent?.(event);
    if (event.kind !== 'progress') this.#events?.add(event);
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

  #fingerprint(): string {
    const { strategy, finetune: tuning } = this.options;
    const { batchSize, clipNorm, classWeights, seed, target, domainOrder } = this.#settings;
    const { validateEvery, validationPasses, rollback } = this.#settings;
    const stages = stagesOf(strategy);
    return JSON.stringify({
      model: this.model.describe(),
      modelSeed: this.model.seed,
      strategy: { name: strategy.name, options: strategy.options },
      finetune: tuning ?? null,
      optimizer: this.#optimizer,
      batchSize,
      clipNorm,
      classWeights,
      seed,
      choice: { target, domainOrder, validateEvery, validationPasses, rollback },
      schema: this.data.schema,
      rows: this.data.train.rows,
      // What is shuffled with what.
      ...(this.data.train instanceof StreamedSplit && {
        windowRows: this.data.train.file.windowRows,
      }),
      // Of several stages, or where domains stop on their own, these are part of what happens, else only
      // of when it ends.
      ...((stages.length > 1 || stages[0].domainsStop) && {
        epochs: this.#settings.epochs,
        patience: this.#settings.patience,
      }),
    });
  }
}
