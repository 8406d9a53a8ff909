import type { SplitMetrics } from '../metrics/index.js';

/** Scores at the end of a stage. */
export interface StageMetrics {
  readonly name: string;
  readonly train: SplitMetrics;
  readonly validation: SplitMetrics;
  readonly test: SplitMetrics;
}

/** A stage that is done, as checkpoints know it. */
export interface FinishedStage extends StageMetrics {
  /** 0-based; of a stage whose domains stop on their own 0. */
  readonly bestEpoch: number;
}

/** What metrics.json holds: the final stage's scores, and those of the stages before it. */
export interface RunMetrics {
  readonly train: SplitMetrics;
  readonly validation: SplitMetrics;
  readonly test: SplitMetrics;
  readonly stages: readonly StageMetrics[];
}
