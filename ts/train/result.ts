import type { SplitMetrics } from '../metrics/index.js';

/** Scores at the end of a stage. */
export interface StageMetrics {
  readonly name: string;
  /** 0-based; of a stage whose domains stop on their own 0. */
  readonly bestEpoch: number;
  readonly train: SplitMetrics;
  readonly validation: SplitMetrics;
  readonly test: SplitMetrics;
}

/** What metrics.json holds: the final stage's scores, and those of the stages before it. */
export interface RunMetrics {
  readonly train: SplitMetrics;
  readonly validation: SplitMetrics;
  readonly test: SplitMetrics;
  readonly stages: readonly StageMetrics[];
}
