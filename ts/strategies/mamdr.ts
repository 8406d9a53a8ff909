import { z } from 'zod';
import { parse, rate } from '../options.js';
import { dnOptions, negotiate } from './dn.js';
import { overlaysOf, regularizationShape, regularize, sum } from './dr.js';
import type { Strategy } from './types.js';

export const mamdrOptions = z.strictObject({
  ...dnOptions.shape,
  regularizationRate: rate
    .optional()
    .describe("gamma of MAMDR's algorithm 2; outerRate by default"),
  ...regularizationShape,
});

/**
 * MAMDR (algorithm 3): Domain Negotiation of the shared parameters alone, then Domain
 * Regularization of the specific ones, over the domains in the same order.
 */
export function mamdr(options: z.input<typeof mamdrOptions> = {}): Strategy {
  const parsed = parse(mamdrOptions, options, 'mamdr');
  const settings = { ...parsed, regularizationRate: parsed.regularizationRate ?? parsed.outerRate };
  const { outerOptimizer } = settings;
  return {
    name: 'mamdr',
    options: settings,
    overlays: overlaysOf(settings),
    optimizers: outerOptimizer ? [outerOptimizer, sum] : [sum],
    *epoch(context) {
      const order = context.order();
      yield* negotiate(order, context, settings);
      yield* regularize(order, context, settings, outerOptimizer ? 1 : 0);
    },
  };
}
