import { z } from 'zod';
import { alternate, alternateOptions } from './alternate.js';
import { dn, dnOptions } from './dn.js';
import { dr, drOptions } from './dr.js';
import { mamdr, mamdrOptions } from './mamdr.js';
import { separate } from './separate.js';
import type { Strategy } from './types.js';

/** A strategy in a config: its name beside its options. */
export const strategyConfig = z.discriminatedUnion('name', [
  alternateOptions.extend({ name: z.literal('alternate') }),
  z.strictObject({ name: z.literal('separate') }),
  dnOptions.extend({ name: z.literal('dn') }),
  drOptions.extend({ name: z.literal('dr') }),
  mamdrOptions.extend({ name: z.literal('mamdr') }),
]);

const makers = { alternate, separate, dn, dr, mamdr };

/** The strategy that a config describes. */
export function strategyOf({ name, ...options }: z.output<typeof strategyConfig>): Strategy {
  return (makers[name] as (options: object) => Strategy)(options);
}
