// MAMDR (k = 5) for one epoch over 10,000 domains of 20 rows and a table of 1,000,000 rows: the
// cost has to be that of the rows touched. Writes results/many-domains.json.
import { Dataset, fit, models, optim, strategies } from '../dist/esm/index.js';
import { circumstances } from './circumstances.mjs';
import { writeResult } from './machine.mjs';

const domains = Number(process.argv[2] ?? 10_000);
const rowsPerDomain = 20;
const users = 1_000_000;
const items = 5_000;

const peakBytes = () => 1024 * process.resourceUsage().maxRSS;

/** Uniform ids from a linear congruential generator: the same everywhere. */
function split(rows, seed) {
  let state = seed;
  const next = (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * bound);
  };
  const count = domains * rows;
  return {
    rows: count,
    domainOffsets: Int32Array.from({ length: domains + 1 }, (_, d) => d * rows),
    ids: [
      Int32Array.from({ length: count }, () => next(users)),
      Int32Array.from({ length: count }, () => next(items)),
    ],
    labels: Float32Array.from({ length: count }, () => next(2)),
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
  [split(rowsPerDomain, 1), split(4, 2), split(4, 3)],
);
const model = models.mlp({
  schema: data.schema,
  embeddingDim: 16,
  hidden: [64, 32],
  dropout: 0.5,
  seed: 1,
});
let expectedBytes = 0;
let commands = 0;
let epochSeconds = 0;
const before = peakBytes();
const { seconds } = await fit(model, data, {
  strategy: strategies.mamdr({ helpers: 5 }),
  optimizer: optim.adam(),
  epochs: 1,
  seed: 1,
  onEvent(event) {
    if (event.kind === 'start') ({ expectedBytes, commands } = event);
    if (event.kind === 'epoch') epochSeconds = event.seconds;
  },
});
const result = {
  ...circumstances(),
  domains,
  rowsPerDomain,
  passes: domains * 13,
  commands,
  seconds,
  epochSeconds,
  microsecondsPerPass: (epochSeconds / (domains * 13)) * 1e6,
  expectedBytes,
  dataBytes: before,
  peakBytes: peakBytes(),
};
console.log(result);
writeResult('many-domains', result.machine.simdLevel, result);
