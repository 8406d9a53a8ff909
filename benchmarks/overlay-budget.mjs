// MAMDR (k = 5) for two epochs with dense specific parameters, 217 KB of each domain, and domains of
// power-law sizes: resident memory has to stay within the budget for own values and a constant.
// Arguments: domains, budget in MiB (0: none). Writes results/overlay-budget.json.
import { fit, models, optim, strategies } from '../dist/esm/index.js';
import { circumstances } from './circumstances.mjs';
import { clicks } from './generated.mjs';
import { writeResult } from './machine.mjs';
import { peakBytes, residentBytes } from './peers/memory.mjs';

const domains = Number(process.argv[2] ?? 20_000);
const budget = Number(process.argv[3] ?? 512) * 2 ** 20;
const epochs = 2;

const few = Array.from({ length: domains }, () => 4);
const data = clicks(
  [few.map((_, d) => 8 + Math.floor(50_000 / (d + 1))), few, few],
  100_000,
  5_000,
);
const model = models.mlp({
  schema: data.schema,
  embeddingDim: 16,
  hidden: [256, 128, 64],
  seed: 1,
});
const before = residentBytes();
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
  peakBytes: peakBytes(),
};
console.log(result);
writeResult(`overlay-budget-${domains}-${budget >> 20}`, result.machine.simdLevel, result);
