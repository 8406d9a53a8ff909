// What training costs, in time and memory, against rows, table size, domains, embedding size and threads.
// Arguments: families to measure anew (all of them by default). Writes results/scale/measured-<SIMD level>.json;
// scale-plots.mjs draws it.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { circumstances } from './circumstances.mjs';
import { load, writeResult } from './machine.mjs';

const base = {
  domains: 30,
  rows: 300_000,
  users: 1_000_000,
  items: 50_000,
  exponent: 1,
  embeddingDim: 16,
  hidden: [64, 32],
  strategy: 'alternate',
  epochs: 2,
  threads: 2,
};
const both = (points) => [1, 2].flatMap((threads) => points.map((own) => ({ ...own, threads })));
// Of Taobao-online (69,102 domains, 420,097,203 training rows, 84,307,785 users, 16,385,662 items) all domains and
// a 300th of the rest: 20 rows a domain on average.
const online = (domains) => ({
  strategy: 'mamdr',
  domains,
  rows: 20 * domains,
  exponent: 0.8,
  users: Math.round((281_026 * domains) / 69_102),
  items: Math.round((54_619 * domains) / 69_102),
});
/** The layers of the MAMDR paper's MLP. */
const paper = { hidden: [256, 128, 64] };
const families = {
  rows: both([1e5, 3e5, 1e6, 3e6, 1e7].map((rows) => ({ rows }))),
  tables: [1e5, 1e6, 5e6, 2e7].flatMap((users) =>
    ['alternate', 'mamdr'].map((strategy) => ({ users, strategy })),
  ),
  largest: [{ users: 2e7, rows: 1e7 }],
  domains: [100, 1000, 10_000, 69_102].map(online),
  spilled: [10_000, 69_102].map((domains) => ({
    ...online(domains),
    epochs: 1,
    overlayBudget: 512 * 2 ** 20,
  })),
  dims: both([8, 16, 32, 64, 128].map((embeddingDim) => ({ embeddingDim }))),
  specific: [500, 1000, 2000].flatMap((domains) =>
    [{}, { overlayBudget: 64 * 2 ** 20 }, { specific: ['output.*', 'bias', 'hidden.2.*'] }].map(
      (own) => ({ ...online(domains), ...paper, epochs: 1, ...own }),
    ),
  ),
  online: [
    { ...online(69_102), ...paper, epochs: 1, specific: ['output.*', 'bias', 'hidden.2.*'] },
  ],
  // Own values of all layers at the paper's embedding size: 559 KB of each domain.
  layers: [2000, 10_000, 69_102].map((domains) => ({
    ...online(domains),
    ...paper,
    embeddingDim: 128,
    epochs: 1,
    specific: ['hidden.*', 'output.*', 'bias'],
    overlayBudget: 512 * 2 ** 20,
  })),
};

const script = fileURLToPath(new URL('./scale-point.mjs', import.meta.url));
const { simdLevel } = circumstances().machine;
const path = fileURLToPath(new URL(`./results/scale/measured-${simdLevel}.json`, import.meta.url));
const results = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
for (const family of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(families)) {
  const { threads: _, ...where } = circumstances();
  const points = [];
  results[family] = { ...where, loadBefore: load(), points };
  for (const own of families[family]) {
    const point = { ...base, ...own };
    const output = execFileSync(process.execPath, [script, JSON.stringify(point)], {
      encoding: 'utf8',
      env: { ...process.env, POLYDOMAIN_THREADS: String(point.threads) },
    });
    const measured = JSON.parse(output);
    const { epochSeconds, peakBytes, dataBytes } = measured;
    console.log(
      family,
      JSON.stringify(own),
      epochSeconds.map((seconds) => seconds.toFixed(3)).join(', '),
      `s; ${((peakBytes - dataBytes) / 2 ** 20).toFixed(0)} MiB`,
    );
    points.push({ ...point, ...measured });
    writeResult('scale/measured', simdLevel, results);
  }
}
