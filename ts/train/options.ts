import { z } from 'zod';
import { count, positive } from '../options.js';

/** Settings of `fit` that are plain numbers: keys of a config as well. */
export const trainingShape = {
  batchSize: count.default(1024),
  epochs: count.default(10).describe('Epochs at most'),
  patience: count
    .default(3)
    .describe('Epochs without a better mean validation AUC before training stops'),
  clipNorm: positive
    .optional()
    .describe('Gradients of a step are scaled down to this global norm; never by default'),
  seed: z.int().gte(0).default(0).describe('Of row orders, domain orders, helpers and dropout'),
  threads: count.optional().describe('Those of POLYDOMAIN_THREADS, or all cores, by default'),
  checkpointEvery: z
    .number()
    .gte(0)
    .default(60)
    .describe('Seconds between two checkpoints at least; 0 takes one after every block of work'),
};
export const trainingOptions = z.strictObject(trainingShape);
