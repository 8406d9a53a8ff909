import { z } from 'zod';
import { adam, optimizerConfig } from '../optim/optimizers.js';
import { parse } from '../options.js';
import { maxSteps, pass } from './alternate.js';
import { type Command, outerMark, type Strategy } from './types.js';

/** Share of a domain's training rows that adapts; the rest tells the outer gradient. */
export const supportShare = z.number().gt(0).lt(1);

export const mamlOptions = z.strictObject({
  outerOptimizer: optimizerConfig.optional().describe('Adam with rate 1e-3 by default'),
  supportShare: supportShare
    .default(0.2)
    .describe('Share of the rows that adapts; the rest tells the outer gradient'),
  batch: z.boolean().default(false).describe('One outer step per epoch, over all domains'),
  maxSteps,
});

const total = 1;

/** Adds the gradients of a domain's query rows to a buffer. */
export function queryGradient(domain: number, target: number, support: number): Command {
  return { kind: 'run', mode: 'gradient', domain, target, rate: 1, shareFrom: support };
}

/**
 * First-order MAML (Finn et al. 2017): for each domain a pass over its support rows, the gradients
 * of all query batches where that led, summed, and an outer step with them from where it began.
 */
export function maml(options: z.input<typeof mamlOptions> = {}): Strategy {
  const settings = parse(mamlOptions, options, 'maml');
  const { supportShare, batch, maxSteps } = settings;
  return {
    name: 'maml',
    options: settings,
    optimizers: [settings.outerOptimizer ?? adam({ learningRate: 1e-3 })],
    gradients: true,
    *epoch({ domains, shuffle, optimizer }) {
      if (batch) yield { kind: 'bufferZero', target: total };
      for (const domain of shuffle(domains)) {
        if (!batch) yield { kind: 'bufferZero', target: total };
        yield { kind: 'mark', target: outerMark };
        yield { ...pass(domain, maxSteps), shareTo: supportShare };
        yield queryGradient(domain, total, supportShare);
        yield { kind: 'restore', target: outerMark };
        yield { kind: 'release', target: outerMark };
        if (!batch) yield { kind: 'bufferApply', target: total, optimizer: optimizer(0) };
      }
      if (batch) yield { kind: 'bufferApply', target: total, optimizer: optimizer(0) };
    },
  };
}
