import { type Dataset, requireDataset } from '../data/dataset.js';
import { ConfigError } from '../errors.js';
import { asModel, type BatchModule } from '../nn/module-model.js';
import { parse } from '../options.js';
import { Predictor } from '../serve/predictor.js';
import { checkpointIn, splitIn } from './checkpoint.js';
import { callOptions, type FitOptions } from './fit-options.js';
import type { FitResult } from './fit-result.js';
import { Run } from './run.js';
import { type Trained, trainedOf } from './warm-start.js';

/**
 * Trains a model, or any module over batches, with a strategy, keeps the state with the best mean validation AUC and scores it
 * on every part. Training runs natively off the event loop, with the model on lease: using it meanwhile
 * throws BusyError. An aborted or failed fit leaves the model in the middle of its training. Throws ConfigError, DataError,
 * TrainingError (a loss that is not finite: names the domain and the step) and CheckpointError.
 */
export async function fit(
  module: BatchModule,
  data: Dataset,
  options: FitOptions,
): Promise<FitResult> {
  requireDataset(data);
  parse(callOptions, options, 'fit');
  const { from, inPlace, resume, runFolder } = options;
  const resumed = resume && runFolder !== undefined && checkpointIn(runFolder);
  const trained = resumed ? undefined : await sourceOf(from, inPlace);
  const source = trained instanceof Predictor ? trained.model : trained;
  const split = resumed ? await splitIn(runFolder) : source?.split;
  const run = new Run(asModel(module, data.schema, options.seed), data, options, split);
  try {
    await run.open(trained);
    run.prepare();
    const result = await run.run();
    await run.close();
    return result;
  } catch (error) {
    // What went wrong first is what counts.
    await run.close().catch(() => {});
    throw error;
  }
}

/** What a fit starts from: copies of values, or a model to take over. */
async function sourceOf(
  from: string | Predictor | undefined,
  inPlace = false,
): Promise<Trained | Predictor | undefined> {
  if (!inPlace) return from === undefined ? undefined : trainedOf(from);
  if (from instanceof Predictor) return from;
  throw new ConfigError(
    'fit.inPlace: expected a result of fit or load in fit.from, whose memory it can take over',
  );
}

/**
 * Finds out whether fit() would begin: rejects with its ConfigError for options that do not fit each other, the
 * model or the data, and trains nothing.
 */
export async function checkFit(
  module: BatchModule,
  data: Dataset,
  options: FitOptions,
): Promise<void> {
  const run = new Run(asModel(module, data.schema, options.seed), data, options);
  try {
    await run.open();
    run.prepare();
    await run.countCommands();
  } finally {
    run.dispose();
  }
}
