import { ConfigError } from '../errors.js';
import { shown } from '../options.js';

/** Ids are of 32 bits. */
const most = 2 ** 31 - 1;

/** Throws ConfigError for sizes of a layer that none can have. */
export function requireSizes(layer: string, sizes: Readonly<Record<string, number>>): void {
  for (const [what, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size > 0 && size <= most) continue;
    throw new ConfigError(
      `${layer}: ${what} ${shown(size)}; expected an integer from 1 to ${most}`,
    );
  }
}
