import { z } from 'zod';
import { count, parse } from '../options.js';
import type { Command, EpochContext, Strategy } from './types.js';

/** Steps of a pass at most: a key of every strategy that makes passes. */
export const maxSteps = count.optional().describe('Steps of a pass at most; all rows by default');

export const alternateOptions = z.strictObject({ maxSteps });

/** A `run` over a domain's rows. */
export function pass(domain: number, steps: number | undefined, overlay?: number): Command {
  return {
    kind: 'run',
    domain,
    ...(overlay !== undefined && { overlay }),
    ...capped(steps),
  };
}

/** The field of a `run` that caps its steps. */
export function capped(steps: number | undefined): { readonly maxSteps?: number } {
  return steps === undefined ? {} : { maxSteps: steps };
}

/** One pass over each domain in the given order. */
export function* passes(order: Iterable<number>, steps: number | undefined): Generator<Command> {
  for (const domain of order) yield pass(domain, steps);
}

/** One pass over each domain in a shuffled order: the papers' "alternate" baseline. */
export function alternate(options: z.input<typeof alternateOptions> = {}): Strategy {
  const settings = parse(alternateOptions, options, 'alternate');
  return {
    name: 'alternate',
    options: settings,
    epoch: ({ order }: EpochContext) => passes(order(), settings.maxSteps),
  };
}
