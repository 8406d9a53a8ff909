import { join } from 'node:path';
import { Dataset } from '../data/dataset.js';
import type { SplitName } from '../data/types.js';
import { ConfigError } from '../errors.js';
import { load } from '../io/run-folder.js';
import type { SplitMetrics } from '../metrics/index.js';
import { evaluate } from '../train/evaluate.js';
import { readConfig, sourceOf } from './config.js';

export interface EvaluateOptions {
  /** A dataset folder; the run's own data by default. */
  readonly data?: string;
  /** Bytes of its rows that stay in memory; all by default. */
  readonly dataBudget?: number;
  readonly split: SplitName;
  readonly overlayBudget?: number;
}

/** Scores a run folder's model on one part of its data, or of another dataset. Throws ConfigError. */
export async function evaluateRun(
  run: string,
  { data, dataBudget, split, overlayBudget }: EvaluateOptions,
): Promise<SplitMetrics> {
  if (dataBudget !== undefined && data === undefined) {
    throw new ConfigError(
      "--data-budget without --data; expected the folder whose rows it limits (the run's own data has the dataBudget of its config)",
    );
  }
  const { model, vocabulary } = await load(run, { overlayBudget });
  const source =
    data === undefined
      ? sourceOf((await readConfig(join(run, 'config.json'), {})).config.data)
      : { source: data, dataBudget };
  const rows = (await Dataset.open(source)).as(vocabulary);
  return evaluate(model, rows, split);
}
