// Our side of train-step.mjs: speaks the same commands as pytorch_train.py, so that both are driven,
// timed and weighed alike, each in a process of its own. Usage: polydomain_train.mjs THREADS.
import { createInterface } from 'node:readline';
import { models, ops, optim, scope, Tensor } from '../../dist/esm/index.js';
import { addon } from '../../dist/esm/native/load.js';
import { nativeSpec } from '../../dist/esm/optim/optimizers.js';
import { median } from '../statistics.mjs';

const threads = Number(process.argv[2]);

/** A small generator of uniform numbers (mulberry32): the same ids in every run. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function schemaOf({ users, items, domains }) {
  return {
    label: 'label',
    domain: 'domain',
    features: [
      { name: 'user', kind: 'categorical', size: users },
      { name: 'item', kind: 'categorical', size: items },
    ],
    domains: Array.from({ length: domains }, (_, domain) => `${domain}`),
  };
}

/** Rows for `steps` whole batches per domain. */
function drawSplit({ users, items, domains, batch }, steps) {
  const random = generator(1);
  const perDomain = steps * batch;
  const rows = domains * perDomain;
  const draw = (size) => Int32Array.from({ length: rows }, () => Math.floor(random() * size));
  return {
    rows,
    ids: [draw(users), draw(items)],
    labels: Float32Array.from({ length: rows }, () => (random() < 0.5 ? 0 : 1)),
    domainOffsets: Int32Array.from({ length: domains + 1 }, (_, domain) => domain * perDomain),
  };
}

/** A model, its native session as fit() makes it, and random rows. */
class Job {
  #passNumber = 0;

  constructor(shape, steps) {
    this.shape = shape;
    this.split = drawSplit(shape, steps);
    const { embedding: embeddingDim, hidden, dropout, batch: batchSize } = shape;
    this.model = models.mlp({ schema: schemaOf(shape), embeddingDim, hidden, dropout });
    const { graph, output, loss, space, scoring } = this.model.compile();
    this.scoring = scoring;
    this.session = new (addon().Session)(space, { batchSize, seed: 0, threads });
    this.session.addSplit(this.split);
    // Adam with PyTorch's defaults; row by row on tables, if the shape does not tell otherwise.
    const { learningRate, rows } = shape;
    this.session.addOptimizer(nativeSpec(optim.adam({ learningRate, rows })));
    this.session.addTrainingProgram(graph, output, loss, ['all']);
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

  /** Seconds per batch of the call that serving makes, from ids to logits. */
  score(batches) {
    const columns = Array.from({ length: batches }, (_, i) => this.#columns(i));
    this.#passNumber++;
    const begun = performance.now();
    for (const batch of columns) this.scoring.predict(batch, this.shape.batch, -1);
    return (performance.now() - begun) / 1000 / batches;
  }

  /** Batch `index` of the current pass's domain, in the order of the program's inputs. */
  #columns(index) {
    const { batch, domains } = this.shape;
    const domain = this.#passNumber % domains;
    const begin = this.split.domainOffsets[domain] + index * batch;
    return this.scoring.inputNames.map((name) =>
      name === 'domain'
        ? new Int32Array(batch).fill(domain)
        : this.split.ids[Number(name.slice('feature:'.length))].subarray(begin, begin + batch),
    );
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

async function medianOf(repeats, body) {
  const values = [];
  for (let i = 0; i < repeats; i++) values.push(await body());
  return median(values);
}

let job;
const commands = {
  shape({ shape, steps }) {
    job = new Job(shape, steps);
    return { version: addon().version, simdLevel: addon().simdLevel() };
  },
  async train({ steps, repeats }) {
    return { seconds: await medianOf(repeats, () => job.train(steps)) };
  },
  async score({ batches, repeats }) {
    return { seconds: await medianOf(repeats, () => job.score(batches)) };
  },
  matmul({ size, repeats }) {
    return { seconds: matmulSeconds(size, repeats) };
  },
};

async function answer(line) {
  const { command, ...options } = JSON.parse(line);
  if (command === 'quit') process.exit(0);
  const before = process.cpuUsage();
  try {
    const result = await commands[command](options);
    const { user, system } = process.cpuUsage(before);
    const peakRssBytes = process.resourceUsage().maxRSS * 1024;
    return { ...result, cpuSeconds: (user + system) / 1e6, peakRssBytes };
  } catch (error) {
    return { error: error.stack };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
}
