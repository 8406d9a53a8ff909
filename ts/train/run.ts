import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Dataset } from '../data/dataset.js';
import { type SplitName, splitNames } from '../data/types.js';
import { ConfigError, TrainingError } from '../errors.js';
import { makeFolder, removeUnfinished, writeJsonAtomic } from '../io/atomic.js';
import type { NativeOptimizer, NativeSession } from '../native/addon.js';
import { addon } from '../native/load.js';
import { memoryLimit } from '../nn/memory.js';
import type { Model } from '../nn/model.js';
import { type Optimizer, optimizerConfig } from '../optim/optimizers.js';
import { blaming, parse, shown } from '../options.js';
import { Predictor } from '../serve/predictor.js';
import { finetune } from '../strategies/finetune.js';
import { type Strategy, stagesOf } from '../strategies/types.js';
import { inTurns } from '../turns.js';
import { Checkpoints, type Progress } from './checkpoint.js';
import { type DomainChoice, domainChoice } from './domain-choice.js';
import { evaluateSplit } from './evaluate.js';
import { EventLog } from './event-log.js';
import type { EpochRecord, FitEvent } from './events.js';
import { Executor } from './executor.js';
import { expectedSize, requireTrainingMemory } from './expected-size.js';
import { fingerprint } from './fingerprint.js';
import { type FitOptions, isJson } from './fit-options.js';
import { FitResult, writeRun } from './fit-result.js';
import { trainingOptions } from './options.js';
import { Profile } from './profile.js';
import type { FinishedStage } from './result.js';
import { Stage, type StageProgress } from './stage.js';
import { takeOver } from './take-over.js';
import { type Trained, warmStart } from './warm-start.js';

/** What tells strategies apart, in run folders and checkpoints too. */
const identity = z.object({
  name: z.string().min(1),
  options: z.record(z.string(), z.unknown()).refine(isJson, 'expected what JSON can hold'),
});

/** A training at work: its stages on one model, its events, checkpoints and run folder. */
export class Run {
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
      throw new ConfigError(
        `fit.strategy: ${shown(strategy)}; expected one of strategies, such as strategies.alternate(), or your own`,
      );
    }
    for (const own of [strategy, ...this.#plan]) parse(identity, own, 'fit.strategy');
    model.requireSchema(data.schema);
    this.#choice = domainChoice(this.#settings, data.vocabulary);
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
      this.#warnings = await inTurns(warmStart(model, data.vocabulary, trained));
    }
    const { batchSize, clipNorm, classWeights, seed, threads, device } = this.#settings;
    this.#session = new (addon().Session)(space, {
      batchSize,
      seed,
      ...(clipNorm && { clipNorm }),
      ...(classWeights && { classWeights }),
      ...(threads && { threads }),
      spillFolder: runFolder ?? tmpdir(),
      device,
      lease: true,
    });
    this.#profile?.start(this.#session);
    this.#executor = new Executor(this.#session, signal);
    this.#events = runFolder === undefined ? undefined : new EventLog(runFolder);
    this.#checkpoints =
      runFolder === undefined
        ? undefined
        : new Checkpoints(join(runFolder, 'checkpoints'), this.#fingerprint(), this.#arithmetic);
  }

  /** What the last bits of results depend on: the CPU's SIMD level, or the device. */
  get #arithmetic(): string {
    return this.#settings.device === 'cuda' ? 'cuda' : addon().simdLevel();
  }

  /** Of all stages: the passes' and the strategies' own. */
  get #optimizers(): Optimizer[] {
    return this.#plan.flatMap(({ optimizer = this.#optimizer, optimizers = [] }) => [
      optimizer,
      ...optimizers,
    ]);
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

  /**
   * Ends the session, and writes the profile if one was asked for. A training is not lost for a profile that cannot be
   * written: that is a warning.
   */
  async close(): Promise<void> {
    this.dispose();
    try {
      await this.#profile?.write();
    } catch (error) {
      const { message } = error as Error;
      this.#emit({ kind: 'warning', message });
      if (!this.options.onEvent) process.emitWarning(message);
    }
  }

  dispose(): void {
    this.#profile?.take();
    // There is none where open() failed.
    this.#session?.dispose();
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
    if (config) await writeJsonAtomic(join(runFolder, 'config.json'), config);
    await this.#events?.open();
    if (!progress) return undefined;
    const simd = this.#arithmetic;
    if (progress.simd !== simd) {
      this.#emit({
        kind: 'warning',
        message: `the checkpoint was made with ${progress.simd}; with ${simd} results will differ in their last bits`,
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
    const { domains } = this.data.schema;
    await this.#phase(stage.strategy.name, () => naming(domains, () => stage.run(from)));
    // The checkpoint of its last epoch is that of an abort here, too.
    const score = (split: SplitName) =>
      this.#phase(
        `score ${split}`,
        async () => (await evaluateSplit(this.#executor, domains, split)) ?? this.#aborted(),
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

  #fingerprint(): string {
    const options = { ...this.options, optimizer: this.#optimizer };
    return fingerprint(this.model, this.data, options, this.#settings);
  }
}

/** Native errors know a domain's index; users know its name. */
async function naming<Result>(
  domains: readonly string[],
  body: () => Promise<Result>,
): Promise<Result> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof TrainingError)) throw error;
    const message = error.message.replace(
      /^domain (\d+)/,
      (_, index: string) => `domain '${domains[Number(index)]}'`,
    );
    throw new TrainingError(`${message} (lower the learning rate, or look for outliers)`);
  }
}
