import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { budgetOf, type RunConfig, sourceOf } from '../cli/config.js';
import { Dataset } from '../data/dataset.js';
import { type SplitName, splitNames } from '../data/types.js';
import { ConfigError } from '../errors.js';
import { makeFolder, removeUnfinished, writeFileAtomic } from '../io/atomic.js';
import { modelOf } from '../models/registry.js';
import { libraryVersion } from '../native/load.js';
import { abortSignal, anyFunction, parse } from '../options.js';
import { strategyOf } from '../strategies/registry.js';
import type { FitEvent } from '../train/events.js';
import { checkFit } from '../train/fit.js';
import {
  type CompareConfig,
  type CompareConfigInput,
  parseCompareConfig,
  seedCount,
} from './config.js';
import { digestOf } from './digest.js';
import {
  type Candidate,
  type Crossing,
  type Entry,
  entriesOf,
  failIn,
  seedsOf,
} from './entries.js';
import { CompareFolder } from './folder.js';
import { type Job, jobOf, type Origin, type RunRecord } from './job.js';
import { runInProcess } from './process.js';
import { type Comparison, type EntryOutcome, type Outcome, summarizeEntries } from './result.js';
import { withSignificance } from './significance.js';

/** What `compare` tells while it runs. */
export type CompareEvent =
  /** A run begins, or was finished before; `run` counts from 1. */
  | {
      readonly kind: 'run';
      readonly run: number;
      readonly total: number;
      readonly job: Pick<Job, 'entry' | 'seed' | 'values' | 'name'>;
      readonly finished: boolean;
    }
  /** What the run's fit tells. */
  | { readonly kind: 'fit'; readonly event: FitEvent }
  | { readonly kind: 'failed'; readonly job: Pick<Job, 'entry' | 'seed'>; readonly error: string };

export interface CompareOptions extends Crossing {
  /** The folder of all that is written: new, but with `resume`. */
  readonly output: string;
  /** Runs in the folder with the same settings, data and library version are not done again. */
  readonly resume?: boolean | undefined;
  /** Seeds of every entry, in place of the config's. */
  readonly seeds?: number | undefined;
  readonly onEvent?: ((event: CompareEvent) => void) | undefined;
  /** Aborting lets the run at work save its checkpoint, and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const compareOptions = z.strictObject({
  output: z.string().min(1),
  resume: z.boolean().optional(),
  seeds: seedCount.optional(),
  models: z.array(z.string()).optional(),
  strategies: z.array(z.string()).optional(),
  onEvent: anyFunction.optional(),
  signal: abortSignal.optional(),
});

/**
 * Trains every entry with every seed on one dataset, each run in a process of its own, and sets
 * their test scores beside each other. Every finished run is written at once; a failed one is reported and the
 * others go on. Writes compare.json. Throws ConfigError (which names entry and key, before anything is run), DataError and
 * CheckpointError.
 */
export async function compare(
  input: CompareConfigInput,
  options: CompareOptions,
): Promise<Comparison> {
  parse(compareOptions, options, 'compare');
  const { output, resume = false, seeds, models, strategies, onEvent, signal } = options;
  const given = parseCompareConfig(input);
  const config = seeds === undefined ? given : { ...given, compare: { ...given.compare, seeds } };
  if (existsSync(output) && !resume) {
    throw new ConfigError(`'${output}' exists; expected a new folder, or --resume`);
  }
  const entries = entriesOf(config, { models, strategies });
  const allSeeds = seedsOf(config);
  const folder = new CompareFolder(output);
  const { domains, rows, digest } = await prepare(config, entries, folder);
  const library = libraryVersion();
  const comparison = new Runs(
    folder,
    { data: digest, library },
    { entries, seeds: allSeeds, onEvent, signal },
  );
  const outcomes = await comparison.run();
  const samples = domains.map((domain) =>
    splitNames.reduce((sum, split) => sum + (rows[split][domain] ?? 0), 0),
  );
  const baseline = config.compare.baseline ?? (entries[0] as Entry).label;
  const summary = await withSignificance(
    summarizeEntries(outcomes, domains, samples),
    outcomes,
    baseline,
    folder,
    // What is no comparison has nothing to lend.
    await folder.readComparison().catch(() => undefined),
  );
  const result: Comparison = {
    format: 'polydomain-compare',
    version: 1,
    library,
    data: 'domain' in config.data ? config.data : config.data.source,
    rows,
    seeds: allSeeds,
    baseline,
    ...summary,
  };
  await folder.writeComparison(result);
  return result;
}

/** What a comparison tells of its dataset. */
interface Summary {
  readonly digest: string;
  readonly domains: readonly string[];
  readonly rows: Readonly<Record<SplitName, Readonly<Record<string, number>>>>;
}

async function summaryOf(data: Dataset): Promise<Summary> {
  const { domains } = data.schema;
  const counts = splitNames.map((name) => {
    const { domainOffsets } = data.split(name);
    const own = domains.map((domain, d) => [
      domain,
      Number(domainOffsets[d + 1]) - Number(domainOffsets[d]),
    ]);
    return [name, Object.fromEntries(own)];
  });
  return {
    digest: await digestOf(data),
    domains,
    rows: Object.fromEntries(counts) as Summary['rows'],
  };
}

/** Makes the dataset that all runs read, or finds it; nothing is written before the entries fit it. */
async function prepare(
  { data: source }: CompareConfig,
  entries: readonly Entry[],
  folder: CompareFolder,
): Promise<Summary> {
  const dataBudget = budgetOf(source);
  // Its rows are the same with any budget.
  const { dataBudget: _, ...rows } = { dataBudget, ...source };
  const told = JSON.stringify({ ...rows, source: resolve(source.source) }, null, 2);
  const prepared = (await readFile(folder.source, 'utf8').catch(() => '')) === `${told}\n`;
  const data = await Dataset.open(
    prepared ? { source: folder.dataset, dataBudget } : sourceOf(source),
  );
  for (const entry of entries) {
    for (const { config } of entry.candidates) {
      await check(config, data).catch((cause) => failIn(entry.label, cause));
    }
  }
  for (const path of [folder.path, folder.runs, folder.scores]) {
    await makeFolder(path);
    await removeUnfinished(path);
  }
  if (!prepared) {
    await data.save(folder.dataset);
    await writeFileAtomic(folder.source, `${told}\n`);
  }
  return summaryOf(data);
}

/** Throws ConfigError where fit() would. */
async function check(config: RunConfig, data: Dataset): Promise<void> {
  const { model: modelConfig, strategy, data: _, $schema: __, ...rest } = config;
  const { schema, vocabulary } = data;
  const model = modelOf(modelConfig, { schema, vocabulary, seed: config.seed });
  try {
    await checkFit(model, data, { ...rest, strategy: strategyOf(strategy) });
  } finally {
    model.dispose();
  }
}

/** The runs of a comparison, one after another. */
class Runs {
  #run = 0;
  readonly #total: number;

  constructor(
    private readonly folder: CompareFolder,
    private readonly origin: Origin,
    private readonly plan: {
      readonly entries: readonly Entry[];
      readonly seeds: readonly number[];
      readonly onEvent: ((event: CompareEvent) => void) | undefined;
      readonly signal: AbortSignal | undefined;
    },
  ) {
    // The chosen trial is the first seed's run.
    this.#total = plan.entries.reduce(
      (sum, { candidates }) => sum + candidates.length - 1 + plan.seeds.length,
      0,
    );
  }

  async run(): Promise<EntryOutcome[]> {
    const outcomes: EntryOutcome[] = [];
    for (const entry of this.plan.entries) outcomes.push(await this.#entry(entry));
    return outcomes;
  }

  async #entry(entry: Entry): Promise<EntryOutcome> {
    const [first = 0, ...others] = this.plan.seeds;
    const trials: Outcome[] = [];
    for (const candidate of entry.candidates) {
      trials.push(await this.#one(entry, candidate, first));
    }
    const chosen = entry.grid ? best(trials) : trials[0];
    const candidate = entry.candidates[chosen ? trials.indexOf(chosen) : -1];
    if (!chosen || !candidate) {
      this.#run += others.length;
      return { entry, trials, chosen, runs: trials.slice(0, 1) };
    }
    const runs = [chosen];
    for (const seed of others) runs.push(await this.#one(entry, candidate, seed));
    return { entry, trials, chosen, runs };
  }

  async #one(entry: Entry, candidate: Candidate, seed: number): Promise<Outcome> {
    const { onEvent, signal } = this.plan;
    const job = jobOf(entry.label, candidate, seed, this.origin);
    const finished = ({ record, name }: { record: RunRecord; name: string }): Outcome => ({
      job: { ...job, name },
      record,
      error: undefined,
    });
    const found = await this.folder.readRun(job);
    this.#run++;
    onEvent?.({
      kind: 'run',
      run: this.#run,
      total: this.#total,
      job,
      finished: found !== undefined,
    });
    if (found) return finished(found);
    const error = await runInProcess(
      {
        job,
        folder: this.folder.path,
        conflicts: seed === this.plan.seeds[0],
      },
      { signal, onEvent: (event) => onEvent?.({ kind: 'fit', event }) },
    );
    const made = error === undefined ? await this.folder.readRun(job) : undefined;
    if (made) return finished(made);
    const failure = error ?? 'its record cannot be read';
    onEvent?.({ kind: 'failed', job, error: failure });
    return { job, record: undefined, error: failure };
  }
}

/** The trial with the best mean validation AUC, the first of equals; undefined when all failed. */
function best(trials: readonly Outcome[]): Outcome | undefined {
  const score = ({ record }: Outcome): number =>
    record?.metrics.validation.auc.mean ?? Number.NEGATIVE_INFINITY;
  return trials
    .filter(({ record }) => record)
    .reduce<Outcome | undefined>(
      (top, trial) => (top && score(top) >= score(trial) ? top : trial),
      undefined,
    );
}
