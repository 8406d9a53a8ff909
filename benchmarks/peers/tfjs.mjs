// tfjs's side of the benchmark. It scores; of a training it does the part without embeddings, on rows that are
// given: the wasm backend has no gradient of a lookup, and the cpu backend's takes minutes a step.
// Usage: tfjs.mjs BACKEND, cpu or wasm. Both use one thread: in Node.js the wasm backend starts no others.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { answerAll } from './answers.mjs';
import {
  Batches,
  checkedColumns,
  layersOf,
  layerValues,
  tablesOf,
  tableValues,
  timeCalls,
} from './mlp.mjs';

const backend = process.argv[2];
const { resolve } = createRequire(import.meta.url);

class Job {
  constructor(shape) {
    this.shape = shape;
    this.batches = new Batches(shape);
    this.tables = tablesOf(shape).map((table) =>
      tf.tensor2d(tableValues(table, shape), [table.rows, shape.embedding]),
    );
    this.layers = layersOf(shape).map((layer) => {
      const { weight, bias } = layerValues(layer);
      const kernel = tf.tidy(() => tf.tensor2d(weight, [layer.outputs, layer.inputs]).transpose());
      return { kernel: tf.variable(kernel), bias: tf.variable(tf.tensor1d(bias)) };
    });
    this.optimizer = tf.train.adam(shape.learningRate);
  }

  #embedded(columns) {
    const ids = columns.map((column) => tf.tensor1d(column, 'int32'));
    return tf.concat(
      this.tables.map((table, t) => tf.gather(table, ids[t])),
      1,
    );
  }

  #logits(x, dropout) {
    return this.layers.reduce((h, { kernel, bias }, layer) => {
      const activation = layer < this.layers.length - 1 ? 'relu' : 'linear';
      const z = tf.fused.matMul({ a: h, b: kernel, bias, activation });
      return dropout > 0 && activation === 'relu' ? tf.dropout(z, dropout) : z;
    }, x);
  }

  async score(columns) {
    const logits = tf.tidy(() => this.#logits(this.#embedded(columns), 0));
    const values = await logits.data();
    logits.dispose();
    return values;
  }

  /** Seconds per step. */
  async train(steps) {
    const { batch, dropout } = this.shape;
    const inputs = Array.from({ length: steps }, () => ({
      x: tf.tidy(() => this.#embedded(this.batches.columns(batch))),
      y: tf.tensor2d(this.batches.labels(batch), [batch, 1]),
    }));
    const begun = performance.now();
    for (const { x, y } of inputs) {
      const step = () => tf.losses.sigmoidCrossEntropy(y, this.#logits(x, dropout));
      const loss = this.optimizer.minimize(step, true);
      await loss.data();
      loss.dispose();
    }
    const seconds = (performance.now() - begun) / 1000 / steps;
    tf.dispose(inputs);
    return seconds;
  }
}

let job;

function score({ rows, calls }) {
  return timeCalls({ batches: job.batches, rows, calls }, (columns) => job.score(columns));
}

await answerAll({
  async shape({ shape }) {
    setWasmPaths(`${dirname(resolve('@tensorflow/tfjs-backend-wasm'))}/`);
    await tf.setBackend(backend);
    await tf.ready();
    job = new Job(shape);
    return { version: tf.version.tfjs };
  },
  async check() {
    return { logits: [...(await job.score(checkedColumns(job.shape)))] };
  },
  async train({ steps, repeats }) {
    const seconds = [];
    for (let i = 0; i < repeats; i++) seconds.push(await job.train(steps));
    return { seconds: seconds.sort((a, b) => a - b)[repeats >> 1] };
  },
  score,
  row: ({ calls }) => score({ rows: 1, calls }),
});
