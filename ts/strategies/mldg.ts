import { z } from 'zod';
import { adam, optimizerConfig } from '../optim/optimizers.js';
import { parse, rate } from '../options.js';
import { capped } from './alternate.js';
import { averageHasSteps, outerGradientShape, outerGradientStep, queryGradient } from './maml.js';
import { only } from './parameters.js';
import { outerMark, type Strategy } from './types.js';

export const mldgOptions = z.strictObject({
  outerOptimizer: optimizerConfig.optional().describe('Adam with rate 1e-4 by default'),
  supportShare: rate
    .default(0.8)
    .describe('Share of the rows whose gradient makes the inner step; 1: all make both'),
  ...outerGradientShape,
});

const [own, inner, total] = [1, 2, 3];

/**
 * MLDG in the form of MAMDR's public code: for each domain the summed gradient of its support rows,
 * a step with it, the gradient of its query rows there, and then, from where it began, a step of the
 * same optimizer with the sum of both.
 */
export function mldg(options: z.input<typeof mldgOptions> = {}): Strategy {
  const settings = parse(mldgOptions.refine(...averageHasSteps), options, 'mldg');
  const { supportShare, batch, maxSteps } = settings;
  return {
    name: 'mldg',
    options: settings,
    optimizers: [settings.outerOptimizer ?? adam({ learningRate: 1e-4 })],
    gradients: true,
    *epoch(context) {
      const moved = only(context, settings.parameters);
      if (batch) yield { kind: 'bufferZero', target: total };
      for (const domain of context.order()) {
        yield { kind: 'bufferZero', target: own };
        yield {
          kind: 'run',
          mode: 'gradient',
          domain,
          target: own,
          rate: 1,
          shareTo: supportShare,
          ...capped(maxSteps),
        };
        yield { kind: 'mark', target: outerMark };
        yield { kind: 'bufferZero', target: inner };
        yield { kind: 'bufferAdd', target: inner, other: own, rate: 1 };
        yield* outerGradientStep(context, inner, settings);
        yield queryGradient(domain, own, settings);
        yield { kind: 'restore', target: outerMark, ...moved };
        yield { kind: 'release', target: outerMark };
        if (batch) yield { kind: 'bufferAdd', target: total, other: own, rate: 1 };
        else yield* outerGradientStep(context, own, settings);
      }
      if (batch) yield* outerGradientStep(context, total, settings);
    },
  };
}
