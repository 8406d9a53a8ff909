import { z } from 'zod';
import { sgd } from '../optim/optimizers.js';
import { count, parse, positive } from '../options.js';
import { convergeEach } from './converge.js';
import type { OverlayRule, Strategy } from './types.js';

export const finetuneOptions = z.strictObject({
  learningRate: positive.default(1e-3).describe('Of plain SGD'),
  epochs: count.default(100).describe('Passes over a domain at most'),
  patience: count.default(3).describe('Passes without a better validation AUC'),
  minDelta: z.number().gte(0).default(1e-4).describe('What counts as a better AUC'),
});
export type FinetuneOptions = z.input<typeof finetuneOptions>;

const fork: OverlayRule = { combine: 'replace', start: 'neutral', specific: ['all'] };

/**
 * The stage that MAMDR's public code runs after a strategy: each domain from the best weights (with
 * its specific ones, where there are any), plain SGD over all that may be specific, until its own
 * validation AUC stops rising. The best pass is kept, even where none beats the start.
 */
export function finetune(options: FinetuneOptions, after: Strategy): Strategy {
  const settings = parse(finetuneOptions, options, 'finetune');
  const { learningRate, epochs, patience, minDelta } = settings;
  return {
    name: 'finetune',
    options: settings,
    overlays: after.overlays ?? fork,
    domainsStop: true,
    optimizer: sgd({ learningRate }),
    epoch: ({ domains }) =>
      convergeEach(Array(domains).keys(), { passes: epochs, patience, rate: minDelta }),
  };
}
