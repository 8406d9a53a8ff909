import { z } from 'zod';
import { optimizerConfig } from '../optim/optimizers.js';
import { parse, rate } from '../options.js';
import { maxSteps, passes } from './alternate.js';
import { only, parameters } from './parameters.js';
import { type Command, type EpochContext, outerMark, type Strategy } from './types.js';

export const dnOptions = z.strictObject({
  outerRate: rate
    .default(0.1)
    .describe("beta of MAMDR's equation 3: how far the shared parameters follow a round of passes"),
  outerOptimizer: optimizerConfig
    .optional()
    .describe('Takes the step over the pseudo-gradient instead of outerRate (MAMDR, IV-E)'),
  parameters,
  maxSteps,
});
type Settings = z.output<typeof dnOptions>;

/** One round over the domains in `order`, then a step from where it began towards its end. */
export function* negotiate(
  order: Iterable<number>,
  context: EpochContext,
  { outerRate, outerOptimizer, parameters, maxSteps }: Settings,
): Generator<Command> {
  yield { kind: 'mark', target: outerMark };
  yield* passes(order, maxSteps);
  const moved = { target: outerMark, ...only(context, parameters) };
  if (outerOptimizer) yield { kind: 'outerStep', ...moved, optimizer: context.optimizer(0) };
  else yield { kind: 'lerp', ...moved, rate: outerRate };
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
    epoch: (context) => negotiate(context.order(), context, settings),
  };
}
