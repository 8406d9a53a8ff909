import type { RunRecord } from '../compare/job.js';
import type { Comparison, EntryResult } from '../compare/result.js';
import { type Curve, flatten, type ReportData, type ReportEntry } from './data.js';

function curveOf({ seed, history, bestEpoch }: RunRecord): Curve {
  const points = history.map(({ stage, epoch, loss, validationAuc }) => ({
    stage,
    epoch,
    loss,
    auc: validationAuc,
  }));
  const best = points.findIndex(
    ({ stage, epoch }) => stage === points[0]?.stage && epoch === bestEpoch,
  );
  return { seed, points, best: best < 0 ? null : best };
}

function entryOf(
  { label, auc, settings, tuning, failures, runs, ...rest }: EntryResult,
  domains: readonly string[],
  records: ReadonlyMap<string, RunRecord>,
): ReportEntry {
  const own = runs.flatMap(({ file }) => records.get(file) ?? []);
  return {
    label,
    auc: { ...auc, byDomain: domains.map((domain) => auc.byDomain[domain] ?? null) },
    rank: rest.rank,
    significance: rest.significance,
    seconds: rest.seconds,
    peakBytes: rest.peakBytes,
    failures: failures.map(({ seed, error }) => `seed ${seed}: ${error}`),
    settings: flatten(settings),
    tuning,
    curves: own.map(curveOf),
    conflicts: own.find(({ conflicts }) => conflicts)?.conflicts ?? null,
  };
}

/** A comparison as a page shows it; `records` are its runs by file. */
export function comparisonReport(
  comparison: Comparison,
  records: ReadonlyMap<string, RunRecord>,
): ReportData {
  const { rows, entries, seeds, baseline, library, notes } = comparison;
  const domains = Object.keys(rows.test);
  const count = (what: number, name: string): string => `${what} ${name}${what === 1 ? '' : 's'}`;
  return {
    title: 'Comparison',
    subtitle: `${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}, ${count(seeds.length, 'seed')}, ${count(domains.length, 'domain')}`,
    library,
    domains: domains.map((name) => ({
      name,
      rows: {
        train: rows.train[name] ?? 0,
        validation: rows.validation[name] ?? 0,
        test: rows.test[name] ?? 0,
      },
    })),
    baseline: Math.max(
      0,
      entries.findIndex(({ label }) => label === baseline),
    ),
    entries: entries.map((entry) => entryOf(entry, domains, records)),
    notes,
  };
}
