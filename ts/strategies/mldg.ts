import { z } from 'zod';
import { adam, optimizerConfig } from '../optim/optimizers.js';
import { parse } from '../options.js';
import { queryGradient, supportShare } from './maml.js';
import { outerMark, type Strategy } from './types.js';

export const mldgOptions = z.strictObject({
  outerOptimizer: optimizerConfig.optional().describe('Adam with rate 1e-4 by default'),
  supportShare: supportShare
    .default(0.8)
    .describe('Share of the rows whose gradient makes the inner step'),
  batch: z.boolean().default(false).describe('One outer step per epoch, over all domains'),
});

const [own, inner, total] = [1, 2, 3];

/**
 * MLDG in the form of MAMDR's public code: for each domain the summed gradient of its support rows,
 * a step with it, the gradient of its query rows there, and then, from where it began, a step of the
 * same optimizer with the sum of both.
 */
export function mldg(options: z.input<typeof mldgOptions> = {}): Strategy {
  const settings = parse(mldgOptions, options, 'mldg');
  const { supportShare, batch } = settings;
  return {
    name: 'mldg',
    options: settings,
    optimizers: [settings.outerOptimizer ?? adam({ learningRate: 1e-4 })],
    gradients: true,
    *epoch({ domains, shuffle, optimizer }) {
      if (batch) yield { kind: 'bufferZero', target: total };
      for (const domain of shuffle(domains)) {
        yield { kind: 'bufferZero', target: own };
        yield {
          kind: 'run',
          mode: 'gradient',
          domain,
          target: own,
          rate: 1,
          shareTo: supportShare,
        };
        yield { kind: 'mark', target: outerMark };
        yield { kind: 'bufferZero', target: inner };
        yield { kind: 'bufferAdd', target: inner, other: own, rate: 1 };
        yield { kind: 'bufferApply', target: inner, optimizer: optimizer(0) };
        yield queryGradient(domain, own, supportShare);
        yield { kind: 'restore', target: outerMark };
        yield { kind: 'release', target: outerMark };
        if (batch) yield { kind: 'bufferAdd', target: total, other: own, rate: 1 };
        else yield { kind: 'bufferApply', target: own, optimizer: optimizer(0) };
      }
      if (batch) yield { kind: 'bufferApply', target: total, optimizer: optimizer(0) };
    },
  };
}
