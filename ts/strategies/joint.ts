import { z } from 'zod';
import { parse } from '../options.js';
import { maxSteps } from './alternate.js';
import type { Command, Strategy } from './types.js';

export const jointOptions = z.strictObject({
  balanced: z
    .boolean()
    .default(false)
    .describe('Equal shares: every batch has as many rows of each domain'),
  maxSteps,
});

/**
 * A pass with as many rows of each domain in every step, until the largest domain has had all of its
 * rows (D-Train, "Experiments": domains are balanced by a fixed batch size for each).
 */
export function balancedPass(steps: number | undefined): Command {
  return { kind: 'run', blocks: true, ...(steps && { maxSteps: steps }) };
}

/** Batches of rows from all domains in one shuffled order, or with an equal share of each. */
export function joint(options: z.input<typeof jointOptions> = {}): Strategy {
  const settings = parse(jointOptions, options, 'joint');
  return {
    name: 'joint',
    options: settings,
    *epoch() {
      const { balanced, maxSteps } = settings;
      if (balanced) yield balancedPass(maxSteps);
      else yield { kind: 'run', mixed: true, ...(maxSteps && { maxSteps }) };
    },
  };
}
