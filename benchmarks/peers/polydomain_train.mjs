// Our side of the benchmark: speaks the same commands as its peers, so that all are driven, timed and weighed
// alike, each in a process of its own. Usage: polydomain_train.mjs THREADS ROWS; ROWS is Adam's option of that name.
import { median } from '../../dist/esm/benchmark/statistics.js';
import { Vocabulary } from '../../dist/esm/data/vocabulary.js';
import { models, ops, optim, Predictor, scope, Tensor } from '../../dist/esm/index.js';
import { addon } from '../../dist/esm/native/load.js';
import { nativeSpec } from '../../dist/esm/optim/optimizers.js';
import { answerAll } from './answers.mjs';
import { callersOf } from './callers.mjs';
import { drawSplit, schemaOf } from './clicks.mjs';
import {
  Batches,
  checkedColumns,
  generator,
  layersOf,
  layerValues,
  tablesOf,
  tableValues,
  timeCalls,
} from './mlp.mjs';

const threads = Number(process.argv[2]);
const adamRows = process.argv[3];

/** A model, its native session as fit() makes it, and random rows. */
class Job {
  #passNumber = 0;
  #scorer;

  constructor(shape, steps) {
    this.shape = shape;
    this.batches = new Batches(shape);
    const { embedding: embeddingDim, hidden, dropout, batch: batchSize } = shape;
    this.model = models.mlp({ schema: schemaOf(shape), embeddingDim, hidden, dropout });
    const { graph, output, loss, space, scoring } = this.model.compile();
    this.scoring = scoring;
    this.#start(space);
    this.session = new (addon().Session)(space, { batchSize, seed: 0, threads });
    this.session.addSplit(drawSplit(shape, steps));
    // With PyTorch's defaults.
    const { learningRate } = shape;
    this.session.addOptimizer(nativeSpec(optim.adam({ learningRate, rows: adamRows })));
    this.session.addTrainingProgram(graph, output, loss, ['all']);
  }

  /** Sets the values that all peers start with. */
  #start(space) {
    const names = ['user', 'item', 'domain'];
    const set = (name, values) => space.write(name, (own) => own.set(values));
    for (const table of tablesOf(this.shape)) {
      set(`embedding.${names[table.number]}.weight`, tableValues(table, this.shape));
    }
    const layers = layersOf(this.shape);
    for (const [l, layer] of layers.entries()) {
      const { weight, bias } = layerValues(layer);
      const last = l === layers.length - 1;
      set(last ? 'output.weight' : `hidden.${l}.weight`, weight);
      set(last ? 'bias' : `hidden.${l}.bias`, bias);
    }
  }

  /** Seconds per step of one run command, the shuffle of its rows included. */
  async train(steps) {
    const pass = this.#passNumber++;
    const domain = pass % this.shape.domains;
    const { seconds, steps: done } = await this.session.run([
      { kind: 'run', domain, maxSteps: steps, pass },
    ]);
    if (done[0] !== steps) throw new Error(`${done[0]} steps were made; expected ${steps}`);
    return seconds / steps;
  }

  /** The call that serving makes, from ids to logits. */
  score(columns) {
    const inputs = { 'feature:0': columns[0], 'feature:1': columns[1], domain: columns[2] };
    const inOrder = this.scoring.inputNames.map((name) => inputs[name]);
    return this.scoring.predict(inOrder, columns[0].length, -1);
  }

  /** What users call, with the values of their own data. */
  get scorer() {
    if (!this.#scorer) {
      const { users, items } = this.shape;
      const values = [users, items].map((size) =>
        Array.from({ length: size - 1 }, (_, i) => `${i + 1}`),
      );
      const vocabulary = new Vocabulary(this.model.schema, values);
      this.#scorer = new Predictor(this.model, vocabulary).forDomain('0');
    }
    return this.#scorer;
  }

  /** `count` rows as users give them. */
  rows(count) {
    const [users, items] = this.batches.columns(count);
    return Array.from({ length: count }, (_, row) => ({ user: users[row], item: items[row] }));
  }
}

/** Median seconds of a square product, the allocation of its result included: the op is eager. */
function matmulSeconds(size, repeats) {
  const random = generator(2);
  const [a, b] = [0, 1].map(() =>
    Tensor.from(Float32Array.from({ length: size * size }, random), [size, size]),
  );
  const seconds = Array.from({ length: repeats + 1 }, () => {
    const begun = performance.now();
    scope(() => {
      ops.matmul(a, b);
    });
    return (performance.now() - begun) / 1000;
  });
  return median(seconds.slice(1));
}

let job;
await answerAll({
  shape({ shape, steps }) {
    job = new Job(shape, steps);
    return { version: addon().version, simdLevel: addon().simdLevel() };
  },
  check: () => ({ logits: [...job.score(checkedColumns(job.shape))] }),
  async train({ steps, repeats }) {
    const seconds = [];
    for (let i = 0; i < repeats; i++) seconds.push(await job.train(steps));
    return { seconds: median(seconds) };
  },
  score: ({ rows, calls }) =>
    timeCalls({ batches: job.batches, rows, calls }, (columns) => job.score(columns)),
  row({ calls }) {
    const { scorer } = job;
    const seconds = job.rows(calls).map((row) => {
      const begun = performance.now();
      scorer.predictSync(row);
      return (performance.now() - begun) / 1000;
    });
    return { seconds };
  },
  callers(options) {
    const { scorer } = job;
    const rows = job.rows(4096);
    return callersOf(options, (call) => scorer.predict([rows[call % rows.length]]));
  },
  matmul: ({ size, repeats }) => ({ seconds: matmulSeconds(size, repeats) }),
});
