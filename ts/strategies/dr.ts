import { z } from 'zod';
import { count, parse, rate } from '../options.js';
import { maxSteps, pass, passes } from './alternate.js';
import { helpersFrom } from './helpers.js';
import {
  type Command,
  type EpochContext,
  innerMark,
  type OverlayRule,
  type Strategy,
} from './types.js';

/** Keys of Domain Regularization, but for its rate, whose default differs. */
export const regularizationShape = {
  helpers: count
    .optional()
    .describe('k: helper domains drawn per domain; min(5, domains - 1) by default'),
  includeTarget: z
    .boolean()
    .default(true)
    .describe('Whether the domain itself follows as a last helper, as in the public code'),
  specific: z
    .array(z.string())
    .min(1)
    .default(['all'])
    .describe('Glob patterns of the parameters that have specific values'),
  combine: z
    .enum(['plus', 'times'])
    .default('plus')
    .describe('Whether specific values are added to the shared ones or multiply them'),
  specificStart: z
    .enum(['zeros', 'random'])
    .default('zeros')
    .describe('zeros: effective values start as the shared ones; random: as in the public code'),
  maxSteps,
};

export const drOptions = z.strictObject({
  regularizationRate: rate
    .default(0.1)
    .describe("gamma of MAMDR's algorithm 2: how far specific parameters follow helper and target"),
  ...regularizationShape,
});
type Settings = z.output<typeof drOptions>;

/** Each domain's specific parameters follow a pass over a helper and one over the domain itself. */
export function* regularize(
  order: Iterable<number>,
  context: EpochContext,
  { regularizationRate, helpers, includeTarget, maxSteps }: Settings,
): Generator<Command> {
  const draw = helpersFrom(context, helpers);
  for (const domain of order) {
    const others = draw(domain);
    for (const helper of includeTarget ? [...others, domain] : others) {
      yield { kind: 'mark', target: innerMark };
      yield pass(helper, maxSteps, domain);
      yield pass(domain, maxSteps, domain);
      yield { kind: 'lerp', target: innerMark, rate: regularizationRate };
      yield { kind: 'release', target: innerMark };
    }
  }
}

/** Where the specific values of a strategy live. */
export function overlaysOf({ combine, specificStart, specific }: Settings): OverlayRule {
  return { combine, start: specificStart === 'zeros' ? 'neutral' : 'random', specific };
}

/**
 * Domain Regularization (MAMDR, algorithm 2) beside alternate training of the shared parameters:
 * each domain's specific ones are trained on a helper, then on the domain, and follow by
 * regularizationRate.
 */
export function dr(options: z.input<typeof drOptions> = {}): Strategy {
  const settings = parse(drOptions, options, 'dr');
  return {
    name: 'dr',
    options: settings,
    overlays: overlaysOf(settings),
    *epoch(context) {
      const order = context.shuffle(context.domains);
      yield* passes(order, settings.maxSteps);
      yield* regularize(order, context, settings);
    },
  };
}
