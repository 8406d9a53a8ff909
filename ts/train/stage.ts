import type { Dataset } from '../data/dataset.js';
import { ConfigError } from '../errors.js';
import type { SplitMetrics } from '../metrics/index.js';
import type {
  NativeCommand,
  NativeInterruption,
  NativeOptimizer,
  NativeSession,
} from '../native/addon.js';
import { addon } from '../native/load.js';
import { suggest } from '../nearest.js';
import { nativeSpec, type Optimizer } from '../optim/optimizers.js';
import { shown } from '../options.js';
import type { Strategy } from '../strategies/types.js';
import type { Progress } from './checkpoint.js';
import { CommandQueue } from './command-queue.js';
import { checked } from './commands.js';
import type { DomainChoice } from './domain-choice.js';
import { evaluateSplit, splitIndex } from './evaluate.js';
import type { EpochRecord, FitEvent } from './events.js';
import type { Executor } from './executor.js';

/** What the stages of a run share. */
export interface StageContext {
  readonly session: NativeSession;
  readonly executor: Executor;
  readonly data: Dataset;
  /** Names of the parameters that have a slot per domain. */
  readonly banks: readonly string[];
  readonly epochs: number;
  readonly patience: number;
  readonly seed: number;
  readonly choice: DomainChoice;
  readonly validateEvery: number;
  readonly validationPasses: number;
  readonly rollback: boolean;
  readonly history: EpochRecord[];
  /** Of an earlier run, to go on from: the passes' and the strategy's own. */
  readonly kept: readonly NativeOptimizer[];
  emit(event: FitEvent): void;
  /** Times a phase of the run, where it is profiled. */
  phase<Result>(name: string, body: () => Promise<Result>): Promise<Result>;
  /** When the next checkpoint is due, on performance.now()'s clock. */
  checkpointDue(): number;
  checkpoint(progress: StageProgress): Promise<void>;
  /** Rejects with the reason of the abort. */
  aborted(): never;
}

export type StageProgress = Pick<
  Progress,
  'epoch' | 'commandsDone' | 'interruption' | 'losses' | 'best'
>;

const bestMark = -1;
/** Ordinals of passes in one epoch at most: they key the shuffles. Those of validation come last. */
const passesPerEpoch = 2 ** 32;
const validationPassesPerEpoch = 2 ** 31;

/** A strategy at work: its epochs, the choice among them, and where it stands. */
export class Stage {
  readonly #inner: number;
  readonly #own: readonly number[];
  /** Of validation's passes. */
  readonly #tuning: number | undefined;
  readonly #selections = new Map<string, number>();
  #count: Promise<number> | undefined;
  #best: { epoch: number; score: number } | null = null;

  constructor(
    /** Place among the stages of the run. */
    readonly index: number,
    readonly strategy: Strategy,
    optimizer: Optimizer,
    /** The training program, which tells the parameters that are trained, and one for gradients. */
    private readonly programs: { readonly train: number; readonly gradient: number },
    private readonly context: StageContext,
  ) {
    const { session, kept } = context;
    const { optimizers = [] } = strategy;
    for (const own of [optimizer, ...optimizers]) {
      if (!strategy.overlays || !('rows' in own) || own.rows === 'lazy') continue;
      throw new ConfigError(
        `optimizer.rows: 'dense' with strategy '${strategy.name}', in which momentum would give each domain an own value of every row; expected 'lazy'`,
      );
    }
    if (kept.length > 0 && kept.length !== 1 + optimizers.length) {
      throw new ConfigError(
        `fit.from: its ${kept.length} optimizers; expected the ${1 + optimizers.length} of strategy '${strategy.name}'`,
      );
    }
    this.#inner = session.addOptimizer(nativeSpec(optimizer), kept[0]);
    this.#own = optimizers.map((own, i) => session.addOptimizer(nativeSpec(own), kept[i + 1]));
    if (context.validationPasses > 0 && !strategy.domainsStop) {
      this.#tuning = session.addOptimizer(nativeSpec(optimizer));
    }
  }

  /** State of the passes' optimizer and the strategy's own. */
  get optimizers(): NativeOptimizer[] {
    return [this.#inner, ...this.#own].map((index) => this.context.session.optimizer(index));
  }

  get epochs(): number {
    return this.strategy.domainsStop ? 1 : this.#limit;
  }

  get #limit(): number {
    return this.strategy.epochs ?? this.context.epochs;
  }

  get bestEpoch(): number {
    return this.#best?.epoch ?? 0;
  }

  /** An epoch's commands: the strategy's, with a number for every pass. */
  *commands(epoch: number): Generator<NativeCommand> {
    const { data, banks, patience, seed } = this.context;
    let draws = 0;
    let passes = this.#firstPass(epoch);
    const stream = `stage ${this.index}, epoch ${epoch}`;
    const domains = data.schema.domains.length;
    const commands = this.strategy.epoch({
      epoch,
      epochs: this.#limit,
      patience,
      banks,
      domains,
      order: () => this.#order(() => addon().permutation(domains, seed, stream, draws++)),
      domain: (name) => {
        if (data.vocabulary.hasDomain(name)) return data.vocabulary.domain(name);
        throw new ConfigError(
          `strategy '${this.strategy.name}': domain '${name}'${suggest(name, data.schema.domains)}`,
        );
      },
      shuffle: (count) => addon().permutation(count, seed, stream, draws++),
      sample: (count, amount) => addon().sample(count, amount, seed, stream, draws++),
      select: (patterns) => this.#select(patterns),
      optimizer: (index) => {
        const found = this.#own[index];
        if (found !== undefined) return found;
        throw new ConfigError(
          `strategy '${this.strategy.name}' has no optimizer ${index}; expected one of its ${this.#own.length}`,
        );
      },
    });
    if (typeof commands?.[Symbol.iterator] !== 'function') {
      throw new ConfigError(
        `strategy '${this.strategy.name}': epoch() gave ${shown(commands)}; expected a generator of commands`,
      );
    }
    for (const command of commands) {
      const { mode = 'train', ...rest } = checked(command, this.strategy.name);
      const native = { optimizer: this.#inner, ...rest };
      if (command.kind === 'run' || command.kind === 'converge') {
        yield { ...native, program: this.programs[mode], pass: passes };
        passes += command.passes ?? 1;
      } else {
        yield native;
      }
    }
  }

  /** Number of commands of the first epoch. Rejects where the strategy finds its options wrong. */
  count(): Promise<number> {
    const { signal } = this.context.executor;
    this.#count ??= new CommandQueue(this.commands(0)).skip(Number.POSITIVE_INFINITY, signal);
    return this.#count;
  }

  /** Ordinal of an epoch's first pass. */
  #firstPass(epoch: number): number {
    return (this.index * 2 ** 16 + epoch) * passesPerEpoch;
  }

  /** The domains of an epoch in their sequence, with the target at its end. */
  #order(shuffle: () => Int32Array): Int32Array {
    const { target, order } = this.context.choice;
    const all = order ?? shuffle();
    if (target === undefined) return all;
    return Int32Array.of(...all.filter((domain) => domain !== target), target);
  }

  #select(patterns: readonly string[]): number {
    const key = patterns.join(' ');
    let selection = this.#selections.get(key);
    if (selection === undefined) {
      selection = this.context.session.addSelection(patterns);
      this.#selections.set(key, selection);
    }
    return selection;
  }

  /** Trains until patience or epochs end it; the best epoch's state is then in place. */
  async run(from: StageProgress | undefined): Promise<void> {
    const { executor, history, emit } = this.context;
    this.#best = from?.best ? { ...from.best } : null;
    emit({ kind: 'phase', stage: this.strategy.name, epochs: this.epochs });
    let progress = from;
    for (let epoch = from?.epoch ?? 0; epoch < this.epochs; epoch++) {
      if (this.#waited(epoch)) break;
      const start = progress;
      const record = await this.context.phase(`epoch ${epoch + 1}`, () =>
        this.#epoch(epoch, start),
      );
      if (record) history.push(record);
      progress = undefined;
      const last = epoch + 1 === this.epochs || this.#waited(epoch + 1);
      if (last || performance.now() >= this.context.checkpointDue()) {
        await this.context.checkpoint(this.#between(epoch + 1));
      }
    }
    if (!this.#best) return;
    await executor.run(
      new CommandQueue([
        { kind: 'restore', target: bestMark, untrained: true },
        { kind: 'release', target: bestMark },
      ]),
      { unstoppable: true },
    );
  }

  /** Whether patience ends the stage before this epoch. */
  #waited(epoch: number): boolean {
    const { validateEvery, patience } = this.context;
    if (!this.#best) return false;
    const validations = (last: number): number => Math.floor(last / validateEvery);
    return validations(epoch - 1) - validations(this.#best.epoch) >= patience;
  }

  #validated(epoch: number): boolean {
    return epoch % this.context.validateEvery === 0 || epoch + 1 === this.epochs;
  }

  /** The passes over a domain that its evaluation in this epoch takes first. */
  #tuned(epoch: number, domain: number): Partial<NativeCommand> {
    if (this.#tuning === undefined) return {};
    const { validationPasses: passes } = this.context;
    return {
      passes,
      pass: this.#firstPass(epoch) + validationPassesPerEpoch + domain * passes,
      other: splitIndex.train,
      optimizer: this.#tuning,
      program: this.programs.train,
      // Without a rule for own values there are none to be tuned, nor to score by.
      ...(!this.strategy.overlays && { overlay: -1 }),
    };
  }

  #between(epoch: number): StageProgress {
    return { epoch, commandsDone: 0, losses: [0, 0], best: this.#best };
  }

  /** Nothing of an epoch that is not validated. */
  async #epoch(epoch: number, from: StageProgress | undefined): Promise<EpochRecord | undefined> {
    const { executor, data, emit, phase } = this.context;
    const begun = performance.now();
    const stage = this.strategy.name;
    const { losses, done } = await phase('train', () => this.#commandsOf(epoch, from));
    if (!this.#validated(epoch)) return undefined;
    const validation = await phase('validate', () =>
      evaluateSplit(executor, data.schema.domains, 'validation', (domain) =>
        this.#tuned(epoch, domain),
      ),
    );
    if (!validation) return this.#abort({ epoch, commandsDone: done, losses, best: this.#best });
    const best = await this.#keepIfBest(epoch, validation);
    const loss = losses[1] > 0 ? losses[0] / losses[1] : 0;
    const seconds = (performance.now() - begun) / 1000;
    emit({ kind: 'epoch', stage, epoch, loss, validation, best, seconds });
    return { stage, epoch, loss, validationAuc: validation.auc.mean };
  }

  /** Runs an epoch's commands with checkpoints on the way; returns sums of loss and rows, and their number. */
  async #commandsOf(
    epoch: number,
    from: StageProgress | undefined,
  ): Promise<{ readonly losses: readonly [number, number]; readonly done: number }> {
    const { executor, emit } = this.context;
    const stage = this.strategy.name;
    const count = await this.count();
    const commands = new CommandQueue(this.commands(epoch));
    const losses: [number, number] = from ? [...from.losses] : [0, 0];
    let done = await commands.skip(from?.commandsDone ?? 0, executor.signal);
    let resumed: NativeInterruption | undefined = from?.interruption;
    if (resumed) commands.resume(resumed);
    for (;;) {
      const before = done;
      const execution = await executor.run(commands, {
        pauseAt: this.context.checkpointDue(),
        onResult: (command, { loss, rows }, completed) => {
          if (command.kind === 'run' || command.kind === 'converge') {
            losses[0] += loss * rows;
            losses[1] += rows;
          }
          if (completed === undefined) return;
          const done = before + completed;
          emit({ kind: 'progress', stage, epoch, done, total: Math.max(done, count) });
        },
      });
      done += execution.completed;
      if (execution.completed > 0 || execution.interruption) resumed = execution.interruption;
      if (execution.end === 'done') return { losses, done };
      const progress = { epoch, commandsDone: done, losses, best: this.#best };
      if (execution.end === 'aborted') return this.#abort({ ...progress, interruption: resumed });
      await this.context.checkpoint({ ...progress, interruption: resumed });
    }
  }

  async #abort(progress: StageProgress): Promise<never> {
    await this.context.checkpoint(progress);
    return this.context.aborted();
  }

  /** The best state is an open mark: it costs what changed since. */
  async #keepIfBest(epoch: number, validation: SplitMetrics): Promise<boolean> {
    const { data, choice, rollback, executor } = this.context;
    const target = choice.target === undefined ? undefined : data.schema.domains[choice.target];
    const [auc, loss] =
      target === undefined
        ? [validation.auc.mean, validation.loss.weighted]
        : [validation.auc.byDomain[target], validation.loss.byDomain[target]];
    // Where no domain has both classes the loss decides, without any rows the last epoch is best.
    const score = auc ?? (typeof loss === 'number' ? -loss : epoch);
    if (this.#best && score <= this.#best.score) {
      if (rollback) {
        await executor.run(
          new CommandQueue([{ kind: 'restore', target: bestMark, untrained: true }]),
          { unstoppable: true },
        );
      }
      return false;
    }
    const commands: NativeCommand[] = [{ kind: 'mark', target: bestMark }];
    if (this.#best) commands.unshift({ kind: 'release', target: bestMark });
    await executor.run(new CommandQueue(commands), { unstoppable: true });
    this.#best = { epoch, score };
    return true;
  }
}
