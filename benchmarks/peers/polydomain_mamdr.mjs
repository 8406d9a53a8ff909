// Our side of mamdr.mjs: the same commands as pytorch_mamdr.py. Usage: polydomain_mamdr.mjs.
import { readFileSync } from 'node:fs';
import { fit, models, optim, strategies } from '../../dist/esm/index.js';
import { addon } from '../../dist/esm/native/load.js';
import { trainingOnly } from '../training-only.mjs';
import { answerAll } from './answers.mjs';

/** The training rows of a folder that the driver wrote, in tables `spread` times as large. */
function open(folder, spread) {
  const { sizes, domainOffsets } = JSON.parse(readFileSync(`${folder}/about.json`, 'utf8'));
  const bytes = (name) => readFileSync(`${folder}/${name}`).buffer;
  const ids = ['user', 'item'].map((name) =>
    new Int32Array(bytes(`${name}.i32`)).map((id) => spread * id),
  );
  const labels = new Float32Array(bytes('label.f32'));
  const train = {
    rows: labels.length,
    ids,
    labels,
    domainOffsets: Int32Array.from(domainOffsets),
  };
  const larger = { user: spread * sizes.user, item: spread * sizes.item };
  const domains = domainOffsets.slice(1).map((_, domain) => `${domain}`);
  return trainingOnly(train, larger, domains);
}

let job;
await answerAll({
  model({ folder, spread = 1, ...settings }) {
    job = { data: open(folder, spread), ...settings };
    return { version: addon().version, simdLevel: addon().simdLevel() };
  },
  /**
   * Seconds of the first epoch of a fresh model, whose optimizer and own values start from nothing, and of the
   * last one, which finds memory that was used before.
   */
  async epoch({ helpers, rate, epochs = 1 }) {
    const { data, options, batch: batchSize, learningRate } = job;
    const seconds = [];
    const model = models.mlp({ schema: data.schema, ...options });
    await fit(model, data, {
      strategy: strategies.mamdr({ helpers, outerRate: rate, regularizationRate: rate }),
      optimizer: optim.adam({ learningRate }),
      batchSize,
      epochs,
      onEvent(event) {
        if (event.kind === 'epoch') seconds.push(event.seconds);
      },
    });
    model.dispose();
    return { seconds: seconds[0], last: seconds.at(-1) };
  },
});
