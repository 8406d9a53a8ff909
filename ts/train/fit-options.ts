import { z } from 'zod';
import type { Optimizer } from '../optim/optimizers.js';
import { abortSignal, anyFunction, folderPath } from '../options.js';
import type { Predictor } from '../serve/predictor.js';
import type { FinetuneOptions } from '../strategies/finetune.js';
import type { StagedStrategy, Strategy } from '../strategies/types.js';
import type { FitEvent } from './events.js';
import type { trainingOptions } from './options.js';

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

/** Whether a value can be written as JSON. */
export function isJson(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}

/** The options that are neither numbers of `trainingOptions` nor objects of their own; what is wrong with these is told elsewhere. */
export const callOptions = z.object({
  onEvent: anyFunction.optional(),
  signal: abortSignal.optional(),
  runFolder: folderPath.optional(),
  resume: z.boolean().optional(),
  inPlace: z.boolean().optional(),
  keepOptimizer: z.boolean().optional(),
  profile: folderPath.optional(),
  config: z
    .record(z.string(), z.unknown())
    .refine(isJson, 'expected what JSON can hold')
    .optional(),
});
