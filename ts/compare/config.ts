import { z } from 'zod';
import { runConfig } from '../cli/config.js';
import { modelConfig } from '../models/registry.js';
import { optimizerConfig } from '../optim/optimizers.js';
import { count, parse } from '../options.js';
import { finetuneOptions } from '../strategies/finetune.js';
import { strategyConfig } from '../strategies/registry.js';

const seed = z.int().gte(0);

/** One row of a comparison; what it leaves out is the config's own. */
const entry = z.strictObject({
  label: z.string().min(1),
  model: modelConfig.optional(),
  strategy: strategyConfig.optional(),
  finetune: z
    .union([finetuneOptions, z.literal(false)])
    .optional()
    .describe('false: none, also where the config has one'),
  optimizer: optimizerConfig.optional(),
  batchSize: count.optional(),
  epochs: count.optional(),
  patience: count.optional(),
  tune: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .optional()
    .describe(
      'Values to try by key, such as "strategy.outerRate": every combination, with the first seed; the best mean validation AUC decides',
    ),
});

/** A count of seeds: more would be a slip, and each is a run. */
export const seedCount = count.lte(10_000);

export const compareSection = z.strictObject({
  seeds: z
    .union([seedCount, z.array(seed).min(1)])
    .default(3)
    .describe("How many, from the config's seed on, or which"),
  baseline: z
    .string()
    .optional()
    .describe('Label of the entry that the others are measured against; the first by default'),
  entries: z
    .array(entry)
    .min(1)
    .optional()
    .describe('Left out: every one of the models with every one of the strategies'),
});

/** The config of `compare`: a run's, whose parts may come from the entries, and what to compare. */
export const compareConfig = runConfig.omit({ from: true, continuing: true }).extend({
  model: modelConfig.optional(),
  strategy: strategyConfig.optional(),
  optimizer: optimizerConfig.optional(),
  compare: compareSection.prefault({}),
});
export type CompareConfig = z.output<typeof compareConfig>;
export type CompareConfigInput = z.input<typeof compareConfig>;
export type EntryConfig = z.output<typeof entry>;

/** Throws ConfigError; of an entry with its label. */
export function parseCompareConfig(config: unknown): CompareConfig {
  const entries = (config as { compare?: { entries?: unknown } } | undefined)?.compare?.entries;
  for (const given of Array.isArray(entries) ? (entries as unknown[]) : []) {
    const label = (given as { label?: unknown } | null)?.label;
    if (typeof label === 'string') parse(entry, given, `compare.entries '${label}'`);
  }
  return parse(compareConfig, config, '');
}
