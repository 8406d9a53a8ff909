/**
 * Prints by how much dense Adam's test AUC is above lazy Adam's over all domains, and over their thirds by training
 * rows, as markdown: `node benchmarks/experiments/lazy-adam/sizes.mjs benchmarks/results/lazy-adam-goodbooks`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const parts = ['smallest third', 'middle third', 'largest third'];
const folder = process.argv[2];
const read = (file) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
const { entries, rows } = read('compare.json');

/** Domains by part of a third each, from few training rows to many. */
const domains = Object.keys(rows.train).sort((a, b) => rows.train[a] - rows.train[b]);
const partOf = (i) => Math.floor((parts.length * i) / domains.length);
const members = parts.map((_, part) => domains.filter((_, i) => partOf(i) === part));

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const signed = (number) => `${number < 0 ? '−' : '+'}${Math.abs(number).toFixed(4)}`;

/** 97.5% quantiles of Student's t for up to 9 degrees of freedom. */
const t975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** Mean over the seeds and half the width of its 95% interval. */
function interval(values) {
  const middle = mean(values);
  const variance =
    values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
  const half = t975[values.length - 2] * Math.sqrt(variance / values.length);
  return `${signed(middle)} ± ${half.toFixed(4)}`;
}

function differences(strategy, of) {
  const runs = (kind) =>
    entries
      .find(({ label }) => label === `${strategy}, ${kind}`)
      .runs.map(({ file }) => read(file).metrics.test.auc.byDomain);
  const lazy = runs('lazy');
  return runs('dense').map((dense, seed) =>
    mean(of.map((domain) => dense[domain] - lazy[seed][domain])),
  );
}

const strategies = [...new Set(entries.map(({ label }) => label.split(',')[0]))];
console.log(`| dense − lazy | all | ${parts.join(' | ')} |\n|${' --- |'.repeat(2 + parts.length)}`);
for (const strategy of strategies) {
  const cells = [domains, ...members].map((of) => interval(differences(strategy, of)));
  console.log(`| ${[strategy, ...cells].join(' | ')} |`);
}
const range = (of) => `${rows.train[of[0]]} to ${rows.train[of.at(-1)]}`;
console.log(`\nTraining rows: ${members.map((of, i) => `${parts[i]} ${range(of)}`).join(', ')}.`);
