import type { SplitMetrics } from '../metrics/index.js';
import type { ExpectedSize } from './expected-size.js';

/** What `fit` tells while it runs. */
export type FitEvent =
  /** What the run is expected to hold at its most (see ExpectedSize), and commands of one epoch. */
  | ({ readonly kind: 'start'; readonly commands: number } & ExpectedSize)
  /** Something to know that does not stop the run. */
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'phase'; readonly stage: string; readonly epochs: number }
  /** Commands done of this epoch; `total` are those of the stage's first one, or `done` if that is more. */
  | {
      readonly kind: 'progress';
      readonly stage: string;
      readonly epoch: number;
      readonly done: number;
      readonly total: number;
    }
  | {
      /** An epoch that was validated; see `validateEvery`. */
      readonly kind: 'epoch';
      readonly stage: string;
      readonly epoch: number;
      readonly loss: number;
      readonly validation: SplitMetrics;
      readonly best: boolean;
      readonly seconds: number;
    }
  | { readonly kind: 'checkpoint'; readonly path: string }
  | { readonly kind: 'end'; readonly testAuc: number | null; readonly seconds: number };

/** One validated epoch in short. */
export interface EpochRecord {
  readonly stage: string;
  readonly epoch: number;
  readonly loss: number;
  readonly validationAuc: number | null;
}
