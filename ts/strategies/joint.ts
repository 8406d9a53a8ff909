import { z } from 'zod';
import { parse } from '../options.js';
import { maxSteps } from './alternate.js';
import type { Strategy } from './types.js';

export const jointOptions = z.strictObject({ maxSteps });

/** Batches of rows from all domains in one shuffled order, as if there were no domains. */
export function joint(options: z.input<typeof jointOptions> = {}): Strategy {
  const settings = parse(jointOptions, options, 'joint');
  return {
    name: 'joint',
    options: settings,
    *epoch() {
      yield { kind: 'run', mixed: true, ...(settings.maxSteps && { maxSteps: settings.maxSteps }) };
    },
  };
}
