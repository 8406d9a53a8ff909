// Data larger than memory: an epoch over 1, 10 and 100 million rows on disk, read with 8 MiB for rows. Memory
// has to be the same for all, also at the end, where fit() scores the training part. Writes
// results/streaming-<SIMD level>.json.
//
//   node benchmarks/streaming.mjs [folder for the data, 1.3 GB at once] [rows ...]
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Dataset, fit, Model, models, nn, ops, optim, strategies } from '../dist/esm/index.js';
import { circumstances } from './circumstances.mjs';
import { writeResult } from './machine.mjs';
import { peakBytes } from './peers/memory.mjs';
import { writeSynthetic } from './synthetic.mjs';

const dataBudget = 8 * 2 ** 20;
const heldOut = 100_000;
const tasks = ['reading', 'reading, cold', 'training'];

/** One number per domain: what is left is reading, shuffling and gathering rows. */
class DomainBias extends Model {
  bias = new nn.Embedding(this.schema.domains.length, 1);

  describe() {
    return { name: 'domain-bias', options: {} };
  }

  forward({ domain }) {
    return ops.reshape(this.bias.forward(domain), [-1, 1]);
  }
}

async function epoch(folder, task) {
  const data = await Dataset.open({ source: folder, dataBudget });
  if (!data.streamed) throw new Error('the rows are in memory');
  const model =
    task === 'training'
      ? models.mlp({ schema: data.schema, embeddingDim: 16, hidden: [64, 32], seed: 1 })
      : new DomainBias(data.schema, 1);
  let seconds = 0;
  let trainingPeakBytes = 0;
  const { metrics } = await fit(model, data, {
    strategy: strategies.alternate(),
    optimizer: task === 'training' ? optim.adam({ learningRate: 1e-3 }) : optim.sgd({}),
    batchSize: 4096,
    epochs: 1,
    seed: 1,
    onEvent(event) {
      if (event.kind !== 'epoch') return;
      seconds = event.seconds;
      trainingPeakBytes = peakBytes();
    },
  });
  const { userCPUTime, systemCPUTime, fsRead } = process.resourceUsage();
  return {
    seconds,
    rowsPerSecond: Math.round(data.train.rows / seconds),
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    trainingPeakBytes,
    peakBytes: peakBytes(),
    bytesFromDisk: 512 * fsRead,
    testAuc: metrics.test.auc.mean,
  };
}

/** Asks the system to forget what it holds of the file (GNU dd). */
function forget(path) {
  execFileSync('sync', [path]);
  execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
}

function measure(folder, task) {
  if (task.endsWith('cold')) forget(join(folder, 'dataset.safetensors'));
  const script = fileURLToPath(import.meta.url);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, '--measure', folder, task],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function main([root = tmpdir(), ...counts]) {
  const sizes = [];
  for (const rows of counts.length > 0 ? counts.map(Number) : [1e6, 1e7, 1e8]) {
    const folder = mkdtempSync(join(root, 'polydomain-streaming-'));
    try {
      const begun = performance.now();
      await writeSynthetic(folder, rows, heldOut);
      const generationSeconds = (performance.now() - begun) / 1000;
      const { size: fileBytes } = statSync(join(folder, 'dataset.safetensors'));
      const measured = Object.fromEntries(tasks.map((task) => [task, measure(folder, task)]));
      sizes.push({ rows, fileBytes, generationSeconds, ...measured });
      console.log(sizes.at(-1));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  const result = { ...circumstances(), dataBudget, heldOut, sizes };
  writeResult('streaming', result.machine.simdLevel, result);
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === '--measure') console.log(JSON.stringify(await epoch(...rest)));
else await main(process.argv.slice(2));
