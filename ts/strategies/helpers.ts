import { ConfigError } from '../errors.js';
import type { EpochContext } from './types.js';

/**
 * Draws helper domains: the returned function gives `helpers` others than a domain, min(5, domains - 1)
 * by default. Throws ConfigError for more than there are.
 */
export function helpersFrom(
  { domains, sample }: EpochContext,
  helpers = Math.min(5, domains - 1),
): (domain: number) => number[] {
  if (helpers > domains - 1) {
    throw new ConfigError(
      `strategy.helpers: ${helpers}; expected ${domains - 1} at most with ${domains} domains`,
    );
  }
  // The others are numbered without a gap.
  return (domain) =>
    [...sample(domains - 1, helpers)].map((other) => other + Number(other >= domain));
}
