import { z } from 'zod';
import { blaming } from '../options.js';
import type { EpochContext } from './types.js';

/** Key of the strategies that have outer steps. */
export const parameters = z
  .array(z.string())
  .min(1)
  .default(['all'])
  .describe(
    "Glob patterns, or '!' and what to leave out: the parameters that outer steps move; passes train the others straight through",
  );

/** The field of a command that restricts it to the parameters that patterns name. */
export function only(
  { select }: EpochContext,
  patterns: readonly string[],
): { readonly selection?: number } {
  if (patterns.includes('all') && patterns.length === 1) return {};
  return { selection: blaming('strategy.parameters', () => select(patterns)) };
}
