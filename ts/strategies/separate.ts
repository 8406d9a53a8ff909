import { z } from 'zod';
import { parse } from '../options.js';
import { convergeEach } from './converge.js';
import type { Strategy } from './types.js';

export const separateOptions = z.strictObject({
  domains: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('Those that are trained; the others stay as they are; all by default'),
  combine: z
    .enum(['replace', 'plus', 'times'])
    .default('replace')
    .describe('A fork, or values as dr and mamdr have them: a warm start takes over its own rule'),
  specific: z
    .array(z.string())
    .min(1)
    .default(['all'])
    .describe('Glob patterns of the parameters that are trained'),
});

/**
 * A model of its own for each domain: a fork of the start, trained with a fresh optimizer until the
 * domain's validation AUC stops rising. Shared parameters stay as they were. With `domains` and a
 * warm start this adds domains to a trained model and leaves the others' scores alone.
 */
export function separate(options: z.input<typeof separateOptions> = {}): Strategy {
  const settings = parse(separateOptions, options, 'separate');
  const { combine, specific } = settings;
  return {
    name: 'separate',
    options: settings,
    overlays: { combine, start: 'neutral', specific },
    domainsStop: true,
    epoch({ domains, epochs, patience, domain }) {
      const own = settings.domains?.map(domain) ?? Array(domains).keys();
      return convergeEach(own, { passes: epochs, patience });
    },
  };
}
