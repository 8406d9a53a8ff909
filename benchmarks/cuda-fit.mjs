// Epochs of fit() on the CPU and on a CUDA device (docs/cuda.md), in turns: the MLP of the MAMDR paper on rows in the
// shape of Amazon-6. node benchmarks/cuda-fit.mjs OUT.json
import { writeFileSync } from 'node:fs';
import { median, rounded } from '../dist/esm/benchmark/statistics.js';
import { fit, models, optim, strategies } from '../dist/esm/index.js';
import { addon } from '../dist/esm/native/load.js';
import { amazon, items, users } from './amazon.mjs';
import { circumstances } from './circumstances.mjs';
import { trainingOnly } from './training-only.mjs';

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error('cuda-fit: no file for the result; expected OUT.json');
const rounds = 2;
const options = { embeddingDim: 128, hidden: [256, 128, 64], dropout: 0.5, seed: 1 };
const compared = {
  alternate: strategies.alternate(),
  dn: strategies.dn(),
  mamdr: strategies.mamdr({ helpers: 5 }),
};

const { names: domains, split } = amazon({ rows: 300_000, seed: 1 });
const data = trainingOnly(split, { user: users, item: items }, domains);

/** Seconds and loss of each epoch. */
async function epochs(device, strategy) {
  const model = models.mlp({ schema: data.schema, ...options });
  const seen = [];
  await fit(model, data, {
    ...{ strategy, device, seed: 1, epochs: 3, batchSize: 1024 },
    optimizer: optim.adam(),
    onEvent(event) {
      if (event.kind === 'epoch') seen.push({ seconds: event.seconds, loss: event.loss });
    },
  });
  model.dispose();
  return seen;
}

const results = {};
for (const [name, strategy] of Object.entries(compared)) {
  const seconds = { cpu: [], cuda: [] };
  const loss = {};
  for (let round = 0; round < rounds; round++) {
    for (const device of ['cpu', 'cuda']) {
      const seen = await epochs(device, strategy);
      // The first one waits for memory.
      seconds[device].push(...seen.slice(1).map((epoch) => rounded(epoch.seconds)));
      loss[device] = seen.at(-1).loss;
    }
  }
  const [cpu, cuda] = ['cpu', 'cuda'].map((device) => rounded(median(seconds[device])));
  results[name] = { cpu, cuda, ratio: rounded(cpu / cuda), seconds, loss };
  console.log(name, results[name]);
}
// Without the plugin's path.
const gpu = addon()
  .cuda()
  .replace(/, plugin.*/, '');
const about = { ...circumstances(), gpu, rows: split.rows, options };
writeFileSync(out, `${JSON.stringify({ ...about, results }, null, 2)}\n`);
