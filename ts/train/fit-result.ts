import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import { ConfigError } from '../errors.js';
import { makeFolder, writeJsonAtomic } from '../io/atomic.js';
import { saveModel } from '../io/run-folder.js';
import type { NativeOptimizer } from '../native/addon.js';
import type { Model } from '../nn/model.js';
import { folderPath, parse } from '../options.js';
import { Predictor } from '../serve/predictor.js';
import type { EpochRecord } from './events.js';
import type { RunMetrics } from './result.js';

/** A finished training: the model holds its best state. */
export class FitResult extends Predictor {
  /** @internal Use fit(). */
  constructor(
    model: Model,
    data: Dataset,
    readonly metrics: RunMetrics,
    readonly history: readonly EpochRecord[],
    /** Epoch of the strategy, or of its first stage, whose state was kept. */
    readonly bestEpoch: number,
    readonly seconds: number,
    /** @internal Kept for a fit that goes on from here. */
    readonly optimizers: readonly NativeOptimizer[] = [],
  ) {
    super(model, data.vocabulary);
  }

  /** Writes a folder that load() reads, and metrics.json. Throws ConfigError when it has a model. */
  async save(folder: string): Promise<void> {
    parse(folderPath, folder, 'folder');
    if (existsSync(join(folder, 'model.json'))) {
      throw new ConfigError(`'${folder}' holds a model already; expected a new folder`);
    }
    await writeRun(folder, this);
  }
}

/** model.json goes first and comes last: a folder never holds a mixture of two runs' files. */
export async function writeRun(folder: string, result: FitResult): Promise<void> {
  await makeFolder(folder);
  await rm(join(folder, 'model.json'), { force: true });
  await writeJsonAtomic(join(folder, 'metrics.json'), result.metrics);
  await saveModel(folder, result);
}
