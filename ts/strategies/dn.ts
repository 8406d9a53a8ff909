import { z } from 'zod';
import { optimizerConfig } from '../optim/optimizers.js';
import { parse, rate } from '../options.js';
import { maxSteps, passes } from './alternate.js';
import { type Command, type EpochContext, outerMark, type Strategy } from './types.js';

export const dnOptions = z.strictObject({
  outerRate: rate
    .default(0.1)
    .describe("beta of MAMDR's equation 3: how far the shared parameters follow a round of passes"),
  outerOptimizer: optimizerConfig
    .optional()
    .describe('Takes the step over the pseudo-gradient instead of outerRate (MAMDR, IV-E)'),
  maxSteps,
});
type Settings = z.output<typeof dnOptions>;

/** One round over the domains in `order`, then a step from where it began towards its end. */
export function* negotiate(
  order: Iterable<number>,
  { optimizer }: EpochContext,
  { outerRate, outerOptimizer, maxSteps }: Settings,
): Generator<Command> {
  yield { kind: 'mark', target: outerMark };
  yield* passes(order, maxSteps);
  if (outerOptimizer) yield { kind: 'outerStep', target: outerMark, optimizer: optimizer(0) };
  else yield { kind: 'lerp', target: outerMark, rate: outerRate };
  yield { kind: 'release', target: outerMark };
}

/** Domain Negotiation (MAMDR, algorithm 1): an outer step towards where all domains' passes led. */
export function dn(options: z.input<typeof dnOptions> = {}): Strategy {
  const settings = parse(dnOptions, options, 'dn');
  const { outerOptimizer } = settings;
  return {
    name: 'dn',
    options: settings,
    ...(outerOptimizer && { optimizers: [outerOptimizer] }),
    epoch: (context) => negotiate(context.shuffle(context.domains), context, settings),
  };
}
