import { Dataset } from '../data/dataset.js';
import { labelsIn } from '../data/streamed.js';
import { bootstrapAuc, type Significance, significanceOf } from '../metrics/bootstrap.js';
import type { CompareFolder } from './folder.js';
import type { Comparison, EntryOutcome, EntryResult } from './result.js';

const resamples = 1000;

/** A finished run: its test AUC and what it comes to on the resamples. */
interface Scored {
  readonly auc: number;
  readonly resampled: Float64Array;
}

/** An entry's runs by seed, and the name of one whose scores are missing. */
interface ScoredEntry {
  readonly bySeed: ReadonlyMap<number, Scored>;
  readonly missing: string | undefined;
}

async function scoredEntries(
  outcomes: readonly EntryOutcome[],
  folder: CompareFolder,
): Promise<ScoredEntry[]> {
  const { test } = await Dataset.open({ source: folder.dataset, dataBudget: 0 });
  const found: { entry: number; seed: number; auc: number; scores: Float32Array }[] = [];
  const missing = new Map<number, string>();
  for (const [entry, { runs }] of outcomes.entries()) {
    for (const { job, record } of runs) {
      const auc = record?.metrics.test.auc.mean ?? null;
      if (auc === null) continue;
      const scores = await folder.readScores(job, test.rows);
      if (scores) found.push({ entry, seed: job.seed, auc, scores });
      else missing.set(entry, job.name);
    }
  }
  const resampled = await bootstrapAuc(
    found.map(({ scores }) => scores),
    { labels: await labelsIn(test, 'test'), domainOffsets: test.domainOffsets },
    { resamples },
  );
  return outcomes.map((_, e) => ({
    bySeed: new Map(
      found.flatMap(({ entry, seed, auc }, r) =>
        entry === e ? [[seed, { auc, resampled: resampled[r] as Float64Array }]] : [],
      ),
    ),
    missing: missing.get(e),
  }));
}

/** Averages the difference over the seeds that both have; null without any. */
function paired(own: ScoredEntry, base: ScoredEntry): Significance | null {
  const pairs = [...own.bySeed].flatMap(([seed, run]) => {
    const other = base.bySeed.get(seed);
    return other ? [[run, other] as const] : [];
  });
  if (pairs.length === 0) return null;
  const average = (of: (run: Scored) => number): number =>
    pairs.reduce((sum, [run, other]) => sum + of(run) - of(other), 0) / pairs.length;
  const differences = Float64Array.from({ length: resamples }, (_, i) =>
    average(({ resampled }) => resampled[i] as number),
  );
  return significanceOf(
    average(({ auc }) => auc),
    differences,
  );
}

/** What an earlier compare.json says of the same runs of both. */
function earlierOf(
  earlier: Comparison | undefined,
  result: EntryResult,
  base: EntryResult,
): Significance | null {
  const same = (one: EntryResult): EntryResult | undefined =>
    earlier?.entries.find(
      ({ runs }) =>
        JSON.stringify(runs.map(({ file }) => file)) ===
        JSON.stringify(one.runs.map(({ file }) => file)),
    );
  if (earlier?.baseline !== same(base)?.label) return null;
  return same(result)?.significance ?? null;
}

/**
 * Adds to the results their differences to the baseline: of mean test AUC, averaged over the seeds, by
 * bootstrap over test rows. Where test scores are missing, an earlier compare.json's are taken, or none; notes tell.
 */
export async function withSignificance(
  results: readonly EntryResult[],
  outcomes: readonly EntryOutcome[],
  baseline: string,
  folder: CompareFolder,
  earlier: Comparison | undefined,
): Promise<{ readonly entries: EntryResult[]; readonly notes: string[] }> {
  const place = results.findIndex(({ label }) => label === baseline);
  const scored = await scoredEntries(outcomes, folder);
  const base = scored[place] as ScoredEntry;
  const notes: string[] = [];
  const entries = results.map((result, e): EntryResult => {
    const own = scored[e] as ScoredEntry;
    if (e === place) return result;
    const missing = own.missing ?? base.missing;
    if (missing === undefined) return { ...result, significance: paired(own, base) };
    const significance = earlierOf(earlier, result, results[place] as EntryResult);
    notes.push(
      `${result.label}: no test scores of ${missing}; its difference to the baseline is ${significance ? 'that of the compare.json before' : 'left out'}`,
    );
    return { ...result, significance };
  });
  return { entries, notes };
}
