// Our side of models.mjs: a train step of any model, in a process of its own. Usage: polydomain_models.mjs THREADS.
import { median } from '../../dist/esm/benchmark/statistics.js';
import { optim } from '../../dist/esm/index.js';
import { modelMakers } from '../../dist/esm/models/registry.js';
import { addon } from '../../dist/esm/native/load.js';
import { nativeSpec } from '../../dist/esm/optim/optimizers.js';
import { answerAll } from './answers.mjs';
import { drawSplit, schemaOf } from './clicks.mjs';

const threads = Number(process.argv[2]);

/** A model and its native session, as fit() makes it. */
class Job {
  #passes = 0;

  constructor(shape, steps) {
    this.domains = shape.domains;
    this.steps = steps;
    const model = modelMakers[shape.model]({ schema: schemaOf(shape), ...shape.options });
    const { graph, output, loss, space } = model.compile();
    this.session = new (addon().Session)(space, { batchSize: shape.batch, seed: 0, threads });
    this.session.addSplit(drawSplit(shape, steps));
    // Adam with PyTorch's defaults; row by row on tables.
    this.session.addOptimizer(nativeSpec(optim.adam({ learningRate: shape.learningRate })));
    this.session.addTrainingProgram(graph, output, loss, ['all']);
  }

  /** Seconds per step of a pass over a domain, the shuffle of its rows included; domains take turns. */
  async train() {
    const pass = this.#passes++;
    const command = { kind: 'run', domain: pass % this.domains, maxSteps: this.steps, pass };
    const { seconds } = await this.session.run([command]);
    return seconds / this.steps;
  }
}

let job;
await answerAll({
  shape({ shape, steps }) {
    job = new Job(shape, steps);
    return { version: addon().version, simdLevel: addon().simdLevel() };
  },
  async train({ repeats }) {
    const seconds = [];
    for (let i = 0; i < repeats; i++) seconds.push(await job.train());
    return { seconds: median(seconds) };
  },
});
