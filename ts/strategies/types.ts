import type { NativeCommand } from '../native/addon.js';
import type { Optimizer } from '../optim/optimizers.js';

/** What a strategy knows while it makes the commands of one epoch. */
export interface EpochContext {
  /** 0-based. */
  readonly epoch: number;
  /** Epochs at most, and the patience, for strategies whose domains stop on their own. */
  readonly epochs: number;
  readonly patience: number;
  /** Number of domains; a domain is known by its index. */
  readonly domains: number;
  /** Names of the parameters that have a slot per domain. */
  readonly banks: readonly string[];
  /**
   * The sequence of an epoch's domains: shuffled, or as the run's `domainOrder` has it, with its
   * `target` at the end. Every call of an epoch that draws one draws another.
   */
  order(): Int32Array;
  /** The index of a domain's name. Throws ConfigError. */
  domain(name: string): number;
  /** A seeded permutation of 0 .. count - 1; every call of an epoch draws another one. */
  shuffle(count: number): Int32Array;
  /** `amount` different numbers of 0 .. count - 1, drawn in O(amount). */
  sample(count: number, amount: number): Int32Array;
  /** Index, in commands, of the parameters that glob patterns name. */
  select(patterns: readonly string[]): number;
  /** Index, in commands, of the strategy's own optimizer `index` (see Strategy.optimizers). */
  optimizer(index: number): number;
}

/** A command of a strategy; docs/strategies.md lists what each does. */
export type Command = Omit<NativeCommand, 'program' | 'pass' | 'resumed' | 'untrained'> & {
  /** run: 'gradient' adds the rows' gradients, times `rate`, to buffer `target` and trains nothing. */
  readonly mode?: 'train' | 'gradient';
};

/** How domain-specific values of a strategy combine with the shared ones. */
export interface OverlayRule {
  readonly combine: 'plus' | 'times' | 'replace';
  readonly start: 'neutral' | 'random';
  /** Glob patterns of the parameters that have specific values. */
  readonly specific: readonly string[];
}

/**
 * A training strategy: generators of commands that run natively. An epoch's commands depend on the
 * context alone: they are made once more to be counted, and by a resumed run, which skips those that are done.
 */
export interface Strategy {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Set when domains have values of their own; they are then evaluated with them. */
  readonly overlays?: OverlayRule;
  /** Optimizers beside that of the run. */
  readonly optimizers?: readonly Optimizer[];
  /** Set when commands have the mode 'gradient'. */
  readonly gradients?: boolean;
  /** Set when losses are weighted by a trained uncertainty per domain. */
  readonly weightedLoss?: boolean;
  /** One epoch is all: its `converge` commands train each domain until that one stops. */
  readonly domainsStop?: boolean;
  /** Makes the steps of passes in place of the run's. */
  readonly optimizer?: Optimizer;
  /**
   * Glob patterns of the parameters that passes train, and of the running averages that they move; all by
   * default; 'heads': see StagedStrategy.
   */
  readonly trained?: readonly string[] | 'heads';
  /** Epochs at most, in place of the run's. */
  readonly epochs?: number;
  epoch(context: EpochContext): Generator<Command>;
}

/**
 * A strategy of several stages, one after another on the same parameters. Each ends by its epochs and
 * the run's patience with its best epoch's state, from which the next goes on.
 */
export interface StagedStrategy {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly stages: readonly [Strategy, ...Strategy[]];
  /**
   * Set when the model needs heads: layers of each domain's own. Glob patterns, or 'last': its towers,
   * or the last linear layer of a model that has no banks, which is then split.
   */
  readonly heads?: readonly string[] | 'last';
}

/** @internal */
export function stagesOf(strategy: Strategy | StagedStrategy): StagedStrategy['stages'] {
  return 'stages' in strategy ? strategy.stages : [strategy];
}

/** Marks of the strategies; those of fit are negative. */
export const outerMark = 1;
export const innerMark = 2;
