import { z } from 'zod';
import { parse } from '../options.js';
import { maxSteps, passes } from './alternate.js';
import type { Strategy } from './types.js';

export const weightedLossOptions = z.strictObject({ maxSteps });

/**
 * Alternate training with losses weighted by uncertainty (Kendall et al. 2018, in the form of
 * MAMDR's public code): BCE / sigma^2 + ln(sigma) with a trained sigma per domain, 1 at the start.
 */
export function weightedLoss(options: z.input<typeof weightedLossOptions> = {}): Strategy {
  const settings = parse(weightedLossOptions, options, 'weighted-loss');
  return {
    name: 'weighted-loss',
    options: settings,
    weightedLoss: true,
    epoch: ({ order }) => passes(order(), settings.maxSteps),
  };
}
