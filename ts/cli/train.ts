import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Dataset } from '../data/dataset.js';
import { ConfigError } from '../errors.js';
import type { SplitMetrics } from '../metrics/index.js';
import { modelOf } from '../models/registry.js';
import { strategyOf } from '../strategies/registry.js';
import { fit } from '../train/fit.js';
import { trainingShape } from '../train/options.js';
import type { RunMetrics } from '../train/result.js';
import { idsOf, type RunConfig, sourceOf } from './config.js';
import { writeMamdrResult } from './mamdr-result.js';
import { showProgress } from './progress.js';
import { reportRun } from './report.js';
import { shown, table } from './table.js';

export interface TrainOptions {
  readonly output: string;
  readonly resume?: boolean;
  /** Also writes result.json and dataset_info.json in the form of MAMDR's public code. */
  readonly mamdr?: boolean;
  /** A file for where the time went. */
  readonly profile?: string;
  readonly signal: AbortSignal;
}

/** The document of `train --json`. */
export interface TrainReport {
  readonly output: string;
  readonly seconds: number;
  readonly bestEpoch: number;
  readonly metrics: RunMetrics;
}

/** Trains what a config says into a run folder. */
export async function train(
  config: RunConfig,
  { output, resume = false, mamdr = false, profile, signal }: TrainOptions,
): Promise<TrainReport> {
  if (existsSync(output) && !resume) {
    throw new ConfigError(`'${output}' exists; expected a new folder, or --resume`);
  }
  const strategy = strategyOf(config.strategy);
  const data = await dataOf(config);
  const { seed, finetune } = config;
  const training = Object.fromEntries(
    Object.keys(trainingShape).map((key) => [key, config[key as keyof typeof trainingShape]]),
  );
  const { schema, vocabulary } = data;
  const model = modelOf(config.model, { schema, vocabulary, seed });
  const progress = showProgress(`${config.model.name}, ${strategy.name}`);
  try {
    const { metrics, bestEpoch, seconds } = await fit(model, data, {
      strategy,
      optimizer: config.optimizer,
      finetune,
      ...(config.from !== undefined && { from: config.from }),
      ...training,
      runFolder: output,
      config: {
        ...config,
        ...(config.from !== undefined && { from: resolve(config.from) }),
        // Absolute, so that the run folder can be evaluated from anywhere.
        data: { ...config.data, source: resolve(config.data.source) },
        model: withAbsolutePaths(config.model),
        strategy: { name: strategy.name, ...strategy.options },
      },
      resume,
      profile,
      signal,
      onEvent: progress.onEvent,
    });
    if (mamdr) await writeMamdrResult(output, config.data.source, data, metrics.test);
    await reportRun(output);
    return { output, seconds, bestEpoch, metrics };
  } finally {
    progress.stop();
  }
}

/** The config's data, with the ids of the run before where it goes on from there. */
async function dataOf(config: RunConfig): Promise<Dataset> {
  const { continuing, evict } = await idsOf(config);
  const opened = await Dataset.open(sourceOf(config.data));
  return continuing ? opened.continuing(continuing, evict) : opened;
}

/** A model's options with the files of its pre-trained tables wherever it is built again. */
function withAbsolutePaths(model: RunConfig['model']): RunConfig['model'] {
  if (!model.pretrained) return model;
  const tables = Object.entries(model.pretrained).map(([name, { source, values, ...rest }]) => [
    name,
    { source: resolve(source), ...(values !== undefined && { values: resolve(values) }), ...rest },
  ]);
  return { ...model, pretrained: Object.fromEntries(tables) as typeof model.pretrained };
}

/** Scores by domain as a table for people. */
export function metricsTable(scores: SplitMetrics): string {
  const domains = Object.keys(scores.rows);
  const count = (rows: number | undefined): string => String(rows ?? 0);
  return table([
    ['domain', 'rows', 'AUC', 'loss'],
    ...domains.map((domain) => [
      domain,
      count(scores.rows[domain]),
      shown(scores.auc.byDomain[domain]),
      shown(scores.loss.byDomain[domain]),
    ]),
    ['mean', '', shown(scores.auc.mean), shown(scores.loss.mean)],
    ['weighted by rows', '', shown(scores.auc.weighted), shown(scores.loss.weighted)],
  ]);
}

/** The report as a table for people. */
export function trainTable({ output, metrics, seconds, bestEpoch }: TrainReport): string {
  const stages = metrics.stages.map(
    ({ name, test }) => `test AUC after ${name}: ${shown(test.auc.mean)}\n`,
  );
  return `${metricsTable(metrics.test)}${stages.join('')}
best epoch ${bestEpoch + 1}, ${seconds.toFixed(1)} s. Run folder: ${output}\n`;
}
