import { z } from 'zod';
import { sgd } from '../optim/optimizers.js';
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
  batch: z
    .boolean()
    .default(false)
    .describe(
      'Helpers start from the same specific values, which follow the sum of their ways / k',
    ),
  targetSteps: count
    .optional()
    .describe('Steps at most of the pass over the domain itself; maxSteps by default'),
  maxSteps,
};

export const drOptions = z.strictObject({
  regularizationRate: rate
    .default(0.1)
    .describe("gamma of MAMDR's algorithm 2: how far specific parameters follow helper and target"),
  ...regularizationShape,
});
type Settings = z.output<typeof drOptions>;

/** Takes the step of `batch`, whose rate is in the sum already. */
export const sum = sgd({ learningRate: 1 });
const ways = 1;

/**
 * Each domain's specific parameters follow a pass over a helper and one over the domain itself. `own` is
 * the index of `sum` among the strategy's optimizers.
 */
export function* regularize(
  order: Iterable<number>,
  context: EpochContext,
  settings: Settings,
  own: number,
): Generator<Command> {
  const { regularizationRate, helpers, includeTarget, batch, maxSteps } = settings;
  const targetSteps = settings.targetSteps ?? maxSteps;
  const draw = helpersFrom(context, helpers);
  for (const domain of order) {
    const others = draw(domain);
    // The public code divides by k, though the domain itself makes k + 1.
    const rate = batch ? regularizationRate / Math.max(1, others.length) : regularizationRate;
    if (batch) yield { kind: 'bufferZero', target: ways };
    for (const helper of includeTarget ? [...others, domain] : others) {
      yield { kind: 'mark', target: innerMark };
      yield pass(helper, maxSteps, domain);
      yield pass(domain, targetSteps, domain);
      if (batch) {
        yield { kind: 'bufferAddChange', target: ways, other: innerMark, rate, overlay: domain };
        yield { kind: 'restore', target: innerMark };
      } else {
        yield { kind: 'lerp', target: innerMark, rate };
      }
      yield { kind: 'release', target: innerMark };
    }
    if (batch) {
      const optimizer = context.optimizer(own);
      yield { kind: 'bufferApply', target: ways, optimizer, overlay: domain, clip: false };
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
    optimizers: [sum],
    *epoch(context) {
      const order = context.order();
      yield* passes(order, settings.maxSteps);
      yield* regularize(order, context, settings, 0);
    },
  };
}
