import { z } from 'zod';
import { count, positive } from '../options.js';

/** A setting of `fit` and `load`. */
export const overlayBudget = z
  .int()
  .gte(0)
  .optional()
  .describe(
    "Bytes of domains' own values that stay in memory; the rest lies in a file of the run folder, or of the system's temporary one. All stay in memory by default",
  );

/** Settings of `fit` that are plain numbers: keys of a config as well. */
export const trainingShape = {
  batchSize: count.default(1024),
  epochs: count.default(10).describe('Epochs at most'),
  patience: count
    .default(3)
    .describe('Validations without a better mean AUC before training stops'),
  clipNorm: positive
    .optional()
    .describe('Gradients of a step are scaled down to this global norm; never by default'),
  classWeights: z
    .tuple([positive, positive])
    .optional()
    .describe(
      'Of rows with label 0 and 1 in training, times the weights of the rows; 1 by default',
    ),
  target: z
    .string()
    .optional()
    .describe('A domain that ends every sequence of domains and alone decides when to stop'),
  domainOrder: z
    .union([z.enum(['shuffled', 'fixed']), z.array(z.string()).min(1)])
    .default('shuffled')
    .describe("Of an epoch: shuffled each time, fixed (the data's order), or the names in order"),
  validateEvery: count.default(1).describe('Epochs from one validation to the next'),
  validationPasses: z
    .int()
    .gte(0)
    .default(0)
    .describe('Passes over each domain before it is validated, which are undone afterwards'),
  rollback: z
    .boolean()
    .default(false)
    .describe('Whether a validation that is no better puts the best state back in place'),
  seed: z.int().gte(0).default(0).describe('Of row orders, domain orders, helpers and dropout'),
  threads: count.optional().describe('Those of POLYDOMAIN_THREADS, or all cores, by default'),
  device: z
    .enum(['cpu', 'cuda'])
    .default('cpu')
    .describe(
      'Where steps and validations run; cuda needs an NVIDIA driver and the plugin that POLYDOMAIN_CUDA names (docs/cuda.md)',
    ),
  checkpointEvery: z
    .number()
    .gte(0)
    .default(60)
    .describe('Seconds between two checkpoints at least; 0 takes one after every block of work'),
  overlayBudget,
};
export const trainingOptions = z.strictObject(trainingShape);
