import { cell } from '../io/csv.js';
import type { Comparison } from './result.js';

/** The entries as CSV, a line each; empty where something is not known. */
export function csvOf({ entries, rows }: Comparison): string {
  const domains = Object.keys(rows.test);
  const head = [
    ...['entry', 'runs', 'failed', 'auc_d', 'auc_d_deviation', 'auc_s', 'auc_s_deviation', 'rank'],
    ...['difference', 'difference_low', 'difference_high', 'p', 'seconds', 'peak_bytes'],
    ...domains.map((domain) => `auc:${domain}`),
  ];
  const lines = entries.map(({ label, runs, failures, auc, rank, significance, ...entry }) => [
    label,
    runs.length,
    failures.length,
    ...[auc.mean?.mean, auc.mean?.deviation, auc.samples?.mean, auc.samples?.deviation, rank],
    ...[significance?.difference, significance?.low, significance?.high, significance?.p],
    ...[entry.seconds?.mean, entry.peakBytes],
    ...domains.map((domain) => auc.byDomain[domain]?.mean),
  ]);
  return [head, ...lines]
    .map((line) => `${line.map((own) => cell(own ?? '')).join(',')}\n`)
    .join('');
}
