// MAMDR (k = 5) for two epochs with dense specific parameters, 217 KB of each domain, and domains of
// power-law sizes: resident memory has to stay within the budget for own values and a constant.
// Arguments: domains, budget in MiB (0: none). Writes results/overlay-budget.json.
import { readFileSync } from 'node:fs';
import { Dataset, fit, models, optim, strategies } from '../dist/esm/index.js';
import { circumstances } from './circumstances.mjs';
import { writeResult } from './machine.mjs';

const domains = Number(process.argv[2] ?? 20_000);
const budget = Number(process.argv[3] ?? 512) * 2 ** 20;
const [users, items, epochs] = [100_000, 5_000, 2];

/** Of this process: [now, at its most]; pages of the mapped file count while they are resident. */
function residentBytes() {
  const status = readFileSync('/proc/self/status', 'utf8');
  return ['VmRSS', 'VmHWM'].map((key) => 1024 * Number(status.match(`${key}:\\s*(\\d+)`)[1]));
}

/** Uniform ids from a linear congruential generator: the same everywhere. */
function split(rowsOf, seed) {
  let state = seed;
  const next = (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * bound);
  };
  const domainOffsets = new Int32Array(domains + 1);
  for (let d = 0; d < domains; d++) domainOffsets[d + 1] = domainOffsets[d] + rowsOf(d);
  const rows = domainOffsets[domains];
  return {
    rows,
    domainOffsets,
    ids: [
      Int32Array.from({ length: rows }, () => next(users)),
      Int32Array.from({ length: rows }, () => next(items)),
    ],
    labels: Float32Array.from({ length: rows }, () => next(2)),
  };
}

const data = Dataset.of(
  {
    label: 'label',
    domain: 'domain',
    features: [
      { name: 'user', kind: 'categorical', size: users },
      { name: 'item', kind: 'categorical', size: items },
    ],
    domains: Array.from({ length: domains }, (_, d) => `d${d}`),
  },
  [[], []],
  [split((d) => 8 + Math.floor(50_000 / (d + 1)), 1), split(() => 4, 2), split(() => 4, 3)],
);
const model = models.mlp({
  schema: data.schema,
  embeddingDim: 16,
  hidden: [256, 128, 64],
  seed: 1,
});
const [before] = residentBytes();
const epochSeconds = [];
let expected;
await fit(model, data, {
  strategy: strategies.mamdr({ helpers: 5 }),
  optimizer: optim.adam(),
  epochs,
  seed: 1,
  ...(budget > 0 && { overlayBudget: budget }),
  onEvent(event) {
    if (event.kind === 'start') expected = event;
    if (event.kind === 'epoch') epochSeconds.push(event.seconds);
  },
});
const [, peakBytes] = residentBytes();
const result = {
  ...circumstances(),
  domains,
  rows: data.train.rows,
  budget,
  expectedBytes: expected.expectedBytes,
  expectedFileBytes: expected.expectedFileBytes,
  epochSeconds,
  millisecondsPerDomain: epochSeconds.map((seconds) => (1000 * seconds) / domains),
  bytesBefore: before,
  peakBytes,
};
console.log(result);
writeResult(`overlay-budget-${domains}-${budget >> 20}`, result.machine.simdLevel, result);
