// onnxruntime-node's side of the benchmark: it scores, on the CPU. Usage: onnxruntime.mjs THREADS.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { answerAll } from './answers.mjs';
import { callersOf } from './callers.mjs';
import { Batches, checkedColumns, timeCalls } from './mlp.mjs';
import { writeOnnx } from './onnx.mjs';

const threads = Number(process.argv[2]);
const names = ['user', 'item', 'domain'];
let session;
let batches;

async function load(shape) {
  const folder = mkdtempSync(join(tmpdir(), 'polydomain-onnx-'));
  try {
    const path = join(folder, 'mlp.onnx');
    writeOnnx(path, shape);
    return await InferenceSession.create(path, { intraOpNumThreads: threads });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function score(columns) {
  const feeds = columns.map((ids, i) => [names[i], new Tensor('int32', ids, [ids.length])]);
  const { logit } = await session.run(Object.fromEntries(feeds));
  return logit.data;
}

await answerAll({
  async shape({ shape }) {
    session = await load(shape);
    batches = new Batches(shape);
    return { version: createRequire(import.meta.url)('onnxruntime-node/package.json').version };
  },
  async check() {
    return { logits: [...(await score(checkedColumns(batches.shape)))] };
  },
  score: ({ rows, calls }) => timeCalls({ batches, rows, calls }, score),
  row: ({ calls }) => timeCalls({ batches, rows: 1, calls }, score),
  callers: (options) => {
    const inputs = Array.from({ length: 4096 }, () => batches.columns(1));
    return callersOf(options, (call) => score(inputs[call % inputs.length]));
  },
});
