/**
 * Prints the table of README.md for a folder of `polydomain compare`, as markdown:
 * `node benchmarks/experiments/table.mjs benchmarks/results/goodbooks-models`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const columns = ['entry', 'AUC_d', 'AUC_s', 'RANK'];

function signed(number) {
  return `${number < 0 ? '−' : '+'}${Math.abs(number).toFixed(4)}`;
}

function spread({ mean, deviation }) {
  return `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`;
}

function differences(entry, baseline) {
  const { difference, low, high } = entry.significance;
  const bySeed = entry.runs.map(({ seed, testAuc }) =>
    signed(testAuc - baseline.runs.find((run) => run.seed === seed).testAuc),
  );
  return [`${signed(difference)} (${signed(low)}, ${signed(high)})`, bySeed.join(', ')];
}

function aligned(rows) {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  const line = (row) => `| ${row.map((cell, c) => cell.padEnd(widths[c])).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const [head, ...body] = rows.map(line);
  return [head, rule, ...body].join('\n');
}

const folder = process.argv[2];
const { entries, baseline } = JSON.parse(readFileSync(join(folder, 'compare.json'), 'utf8'));
const base = entries.find(({ label }) => label === baseline);
console.log(
  aligned([
    [...columns, `AUC_d − ${baseline}, 95% interval`, 'by seed'],
    ...entries.map((entry) => [
      entry.label,
      spread(entry.auc.mean),
      spread(entry.auc.samples),
      entry.rank.toFixed(2),
      ...(entry === base ? ['', ''] : differences(entry, base)),
    ]),
  ]),
);
