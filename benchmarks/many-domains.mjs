// MAMDR (k = 5) for one epoch over 10,000 domains of 20 rows and a table of 1,000,000 rows: the
// cost has to be that of the rows touched. Writes results/many-domains.json.
import { fit, models, optim, strategies } from '../dist/esm/index.js';
import { circumstances } from './circumstances.mjs';
import { clicks } from './generated.mjs';
import { writeResult } from './machine.mjs';
import { peakBytes } from './peers/memory.mjs';

const domains = Number(process.argv[2] ?? 10_000);
const rowsPerDomain = 20;
const few = Array.from({ length: domains }, () => 4);
const data = clicks([few.map(() => rowsPerDomain), few, few], 1_000_000, 5_000);
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
