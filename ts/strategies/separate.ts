import { convergeEach } from './converge.js';
import type { Strategy } from './types.js';

/**
 * A model of its own for each domain: a fork of the start, trained with a fresh optimizer until the
 * domain's validation AUC stops rising. Shared parameters stay as they were.
 */
export function separate(): Strategy {
  return {
    name: 'separate',
    options: {},
    overlays: { combine: 'replace', start: 'neutral', specific: ['all'] },
    domainsStop: true,
    epoch: ({ domains, epochs, patience }) => convergeEach(domains, { passes: epochs, patience }),
  };
}
