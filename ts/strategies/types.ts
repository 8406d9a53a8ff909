import type { NativeCommand, NativeOptimizerSpec } from '../native/addon.js';

/** What a strategy knows while it makes the commands of one epoch. */
export interface EpochContext {
  /** 0-based. */
  readonly epoch: number;
  /** Indices of the domains. */
  readonly domains: number;
  /** A seeded permutation of 0 .. count - 1; every call of an epoch draws another one. */
  shuffle(count: number): Int32Array;
  /** Index of the strategy's optimizer `index` (see Strategy.optimizers) in the session. */
  optimizer(index: number): number;
}

export type Command = NativeCommand;

/** How domain-specific values of a strategy combine with the shared ones. */
export interface OverlayRule {
  readonly combine: 'plus' | 'times' | 'replace';
  readonly start: 'neutral' | 'random';
  /** Glob patterns of the parameters that have specific values. */
  readonly specific: readonly string[];
}

/**
 * A training strategy: generators of commands that run natively. An epoch's commands depend on the
 * context alone, so a resumed run makes the same ones again and skips those that are done.
 */
export interface Strategy {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Set when domains have values of their own; they are then evaluated with them. */
  readonly overlays?: OverlayRule;
  /** Optimizers beside the inner one (index 0), such as that of an outer step. */
  readonly optimizers?: readonly NativeOptimizerSpec[];
  epoch(context: EpochContext): Generator<Command>;
}
