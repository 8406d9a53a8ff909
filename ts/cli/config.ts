import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { evictionOptions } from '../data/continued.js';
import type { PrepareOptions } from '../data/dataset.js';
import {
  type DatasetOptions,
  type FolderOptions,
  folderOptions,
  sourceOptions,
} from '../data/options.js';
import { ConfigError } from '../errors.js';
import { readRun } from '../io/run-folder.js';
import { modelConfig } from '../models/registry.js';
import { optimizerConfig } from '../optim/optimizers.js';
import { parse } from '../options.js';
import { finetuneOptions } from '../strategies/finetune.js';
import { strategyConfig } from '../strategies/registry.js';
import { trainingShape } from '../train/options.js';
import { fromMamdrConfig, isMamdrConfig } from './mamdr-config.js';

/** The config of `train`: schema/config.schema.json is made of it. */
export const runConfig = z.strictObject({
  $schema: z.string().optional(),
  data: z.union([folderOptions, sourceOptions]),
  model: modelConfig,
  strategy: strategyConfig,
  finetune: finetuneOptions
    .optional()
    .describe('A stage after the strategy: each domain is tuned by itself'),
  optimizer: optimizerConfig,
  from: z
    .string()
    .optional()
    .describe('A run folder whose values the model starts from; its ids and domains may differ'),
  continuing: z
    .union([z.literal(true), evictionOptions])
    .optional()
    .describe(
      "The data goes on from that of `from`: ids and domains stay and new ones are added. With unseenFor, ids that so many data sets' training rows have not had are evicted",
    ),
  ...trainingShape,
});
export type RunConfig = z.output<typeof runConfig>;

/** What Dataset.prepare is to know of the ids. Throws ConfigError, CheckpointError. */
export async function idsOf({ from, continuing }: RunConfig): Promise<PrepareOptions> {
  if (!continuing) return {};
  if (from === undefined) {
    throw new ConfigError('continuing: expected a run folder in from, whose ids go on');
  }
  const { vocabulary } = await readRun(from);
  return { continuing: vocabulary, ...(continuing !== true && { evict: continuing }) };
}

/** What Dataset.open takes of a config. */
export function sourceOf(data: RunConfig['data']): string | FolderOptions | DatasetOptions {
  return 'domain' in data || data.dataBudget !== undefined ? data : data.source;
}

/** Bytes of rows that stay in memory, where a config limits them. */
export function budgetOf(data: RunConfig['data']): number | undefined {
  return 'domain' in data ? undefined : data.dataBudget;
}

/** Sets `key.path=value` in a config; the value is JSON, or text. Throws ConfigError. */
function assign(config: Record<string, unknown>, assignment: string): void {
  const equals = assignment.indexOf('=');
  if (equals < 1) throw new ConfigError(`--set ${assignment}; expected key.path=value`);
  const text = assignment.slice(equals + 1);
  const path = assignment.slice(0, equals).split('.');
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    // Text as it stands.
  }
  const last = path.pop() as string;
  // Defined, not assigned: a key such as __proto__ is to be told as unknown, like any other.
  const define = (object: object, key: string, own: unknown): void => {
    const options = { value: own, enumerable: true, writable: true, configurable: true };
    Object.defineProperty(object, key, options);
  };
  let at: object = config;
  for (const key of path) {
    const next = Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : {};
    if (typeof next !== 'object' || next === null) {
      throw new ConfigError(
        `--set ${assignment}: '${key}' is ${JSON.stringify(next)}; expected an object`,
      );
    }
    define(at, key, next);
    at = next;
  }
  define(at, last, value);
}

/** Reads a config file, ours or MAMDR's, with changes from the command line. Throws ConfigError. */
export async function readConfig(
  path: string,
  changes: { readonly set?: readonly string[]; readonly seed?: number },
): Promise<{ readonly config: RunConfig; readonly mamdr: boolean }> {
  const { config, mamdr } = await readUnchecked(path, changes);
  return { config: parse(runConfig, config, ''), mamdr };
}

/** The same before it is checked; MAMDR's in our form. Throws ConfigError. */
export async function readUnchecked(
  path: string,
  { set = [], seed }: { readonly set?: readonly string[]; readonly seed?: number },
): Promise<{ readonly config: Record<string, unknown>; readonly mamdr: boolean }> {
  let config: Record<string, unknown>;
  try {
    // Some editors begin a file with a byte order mark.
    const text = (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
    config = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new ConfigError(
      `'${path}' cannot be read (${(cause as Error).message}); expected a config in JSON`,
      { cause },
    );
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new ConfigError(`'${path}' holds ${JSON.stringify(config)}; expected an object`);
  }
  for (const assignment of set) assign(config, assignment);
  const own = seed === undefined ? {} : { seed };
  if (!isMamdrConfig(config)) return { config: { ...config, ...own }, mamdr: false };
  const translated = fromMamdrConfig(config);
  if (translated.unread.length > 0) {
    process.stderr.write(`warning: not read from '${path}': ${translated.unread.join(', ')}\n`);
  }
  return { config: { ...translated.config, ...own }, mamdr: true };
}
