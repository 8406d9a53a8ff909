import { z } from 'zod';
import { optimizerConfig, sgd } from '../optim/optimizers.js';
import { parse, rate } from '../options.js';
import { maxSteps, pass } from './alternate.js';
import { only, parameters } from './parameters.js';
import { outerMark, type Strategy } from './types.js';

export const reptileOptions = z.strictObject({
  outerRate: rate.default(0.1).describe('How far the parameters follow a domain'),
  outerOptimizer: optimizerConfig
    .optional()
    .describe('Takes the step over the way back as a gradient, instead of outerRate'),
  batch: z
    .boolean()
    .default(false)
    .describe('Domains start from the same parameters, which follow the sum of their ways'),
  parameters,
  maxSteps,
});

const ways = 1;

/** Reptile (Nichol et al. 2018): the parameters follow each domain's pass by a small step. */
export function reptile(options: z.input<typeof reptileOptions> = {}): Strategy {
  const settings = parse(reptileOptions, options, 'reptile');
  const { outerRate, outerOptimizer, batch, parameters, maxSteps } = settings;
  // The way back is a gradient; the outer rate is the rate of its step.
  const outer = outerOptimizer ?? sgd({ learningRate: outerRate });
  return {
    name: 'reptile',
    options: settings,
    ...((batch || outerOptimizer) && { optimizers: [outer] }),
    *epoch(context) {
      const { order, optimizer } = context;
      const moved = only(context, parameters);
      if (batch) yield { kind: 'bufferZero', target: ways };
      for (const domain of order()) {
        yield { kind: 'mark', target: outerMark };
        yield pass(domain, maxSteps);
        if (batch) {
          yield { kind: 'bufferAddChange', target: ways, other: outerMark, rate: 1 };
          yield { kind: 'restore', target: outerMark, ...moved };
        } else if (outerOptimizer) {
          yield { kind: 'outerStep', target: outerMark, optimizer: optimizer(0), ...moved };
        } else {
          yield { kind: 'lerp', target: outerMark, rate: outerRate, ...moved };
        }
        yield { kind: 'release', target: outerMark };
      }
      if (batch) {
        yield { kind: 'bufferApply', target: ways, optimizer: optimizer(0), clip: false, ...moved };
      }
    },
  };
}
