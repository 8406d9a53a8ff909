import type { z } from 'zod';
import type { Dataset } from '../data/dataset.js';
import { StreamedSplit } from '../data/streamed.js';
import type { Model } from '../nn/model.js';
import { stagesOf } from '../strategies/types.js';
import type { FitOptions } from './fit-options.js';
import type { trainingOptions } from './options.js';

/** What has to be the same where a run goes on from a checkpoint, as text. */
export function fingerprint(
  model: Model,
  data: Dataset,
  { strategy, finetune, optimizer }: FitOptions,
  settings: z.output<typeof trainingOptions>,
): string {
  const { batchSize, clipNorm, classWeights, seed, target, domainOrder } = settings;
  const { validateEvery, validationPasses, rollback, epochs, patience } = settings;
  const stages = stagesOf(strategy);
  return JSON.stringify({
    model: model.description(),
    modelSeed: model.seed,
    strategy: { name: strategy.name, options: strategy.options },
    finetune: finetune ?? null,
    optimizer,
    batchSize,
    clipNorm,
    classWeights,
    seed,
    choice: { target, domainOrder, validateEvery, validationPasses, rollback },
    schema: data.schema,
    rows: data.train.rows,
    // What is shuffled with what.
    ...(data.train instanceof StreamedSplit && { windowRows: data.train.file.windowRows }),
    // Of several stages, or where domains stop on their own, these are part of what happens, else only
    // of when it ends.
    ...((stages.length > 1 || stages[0].domainsStop) && { epochs, patience }),
  });
}
