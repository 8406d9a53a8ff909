import { type RunConfig, runConfig } from '../cli/config.js';
import { ConfigError } from '../errors.js';
import { suggest } from '../nearest.js';
import { parse } from '../options.js';
import type { CompareConfig, EntryConfig } from './config.js';

/** Values of tuned keys. */
export type Values = Readonly<Record<string, unknown>>;

/** A combination of tuned values and the run that it makes, but for the seed. */
export interface Candidate {
  readonly values: Values;
  readonly config: RunConfig;
}

/** One row of a comparison. */
export interface Entry {
  readonly label: string;
  /** The grid as it was given; undefined where nothing is tuned. */
  readonly grid: Readonly<Record<string, readonly unknown[]>> | undefined;
  /** One without a grid. */
  readonly candidates: readonly Candidate[];
}

/** Which models and strategies to cross, in place of entries. */
export interface Crossing {
  readonly models?: readonly string[] | undefined;
  readonly strategies?: readonly string[] | undefined;
}

/** Says which entry an error is about. */
function inEntry<Result>(label: string, body: () => Result): Result {
  try {
    return body();
  } catch (cause) {
    return failIn(label, cause);
  }
}

/** Throws what went wrong; a ConfigError names the entry. */
export function failIn(label: string, cause: unknown): never {
  if (!(cause instanceof ConfigError)) throw cause;
  throw new ConfigError(`compare.entries '${label}': ${cause.message}`, { cause });
}

/** Every combination of a grid's values, the last key's the fastest. */
export function combinations(grid: Readonly<Record<string, readonly unknown[]>>): Values[] {
  return Object.entries(grid).reduce<Values[]>(
    (made, [key, values]) =>
      made.flatMap((before) => values.map((value) => ({ ...before, [key]: value }))),
    [{}],
  );
}

/** The config with the value at `path` replaced. Throws ConfigError where nothing can stand there. */
function replaced(config: unknown, path: readonly string[], value: unknown, key: string): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new ConfigError(`tune: '${key}' is not there; expected a key of the entry's settings`);
  }
  const own = config as Readonly<Record<string, unknown>>;
  return {
    ...own,
    [first]: replaced(Object.hasOwn(own, first) ? own[first] : {}, rest, value, key),
  };
}

const tunable = ['model', 'strategy', 'finetune', 'optimizer', 'batchSize', 'epochs', 'patience'];

/** The crossing's entries; a model or strategy that the config names keeps the config's options. */
function crossed(config: CompareConfig, { models, strategies }: Crossing): EntryConfig[] {
  const named = <Part extends { name: string }>(
    part: 'model' | 'strategy',
    own: Part | undefined,
    names: readonly string[] | undefined,
  ): Part[] => {
    if (names) {
      return names.map((name) => (name === own?.name ? own : ({ name } as unknown as Part)));
    }
    if (own) return [own];
    throw new ConfigError(`${part}: missing; expected one, compare.entries or --${part}s`);
  };
  const rows = named('strategy', config.strategy, strategies);
  return named('model', config.model, models).flatMap((model) =>
    rows.map((strategy) => ({ label: `${model.name}, ${strategy.name}`, model, strategy })),
  );
}

/**
 * The entries of a comparison with the settings of each of their runs. Throws ConfigError that names the entry
 * and the key.
 */
export function entriesOf(config: CompareConfig, crossing: Crossing = {}): Entry[] {
  const { compare, checkpointEvery, overlayBudget, threads, $schema: _, ...base } = config;
  const given = compare.entries;
  if (given && (crossing.models || crossing.strategies)) {
    throw new ConfigError('compare.entries and --models or --strategies; expected one of both');
  }
  const seen = new Set<string>();
  const entries = (given ?? crossed(config, crossing)).map(({ label, tune, ...own }) =>
    inEntry(label, () => {
      if (seen.has(label)) throw new ConfigError('the label is there twice; expected each once');
      seen.add(label);
      for (const key of Object.keys(tune ?? {})) {
        const [part = ''] = key.split('.');
        if (!tunable.includes(part)) {
          throw new ConfigError(`tune: unknown key '${key}'${suggest(part, tunable)}`);
        }
      }
      const { finetune = base.finetune, ...rest } = own;
      const merged = {
        ...base,
        ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
        finetune: finetune || undefined,
        checkpointEvery,
        overlayBudget,
        threads,
      };
      const candidates = combinations(tune ?? {}).map((values) => {
        const settings = Object.entries(values).reduce<unknown>(
          (made, [key, value]) => replaced(made, key.split('.'), value, key),
          merged,
        );
        return { values, config: parse(runConfig, settings, '') };
      });
      return { label, grid: tune, candidates };
    }),
  );
  const { baseline } = compare;
  if (baseline !== undefined && !seen.has(baseline)) {
    throw new ConfigError(`compare.baseline: '${baseline}'${suggest(baseline, [...seen])}`);
  }
  return entries;
}

/** The seeds of every entry's runs. */
export function seedsOf({ seed, compare: { seeds } }: CompareConfig): readonly number[] {
  if (typeof seeds !== 'number') {
    if (new Set(seeds).size < seeds.length) {
      throw new ConfigError(`compare.seeds: [${seeds}]; expected each once`);
    }
    return seeds;
  }
  return Array.from({ length: seeds }, (_, i) => seed + i);
}
