// Our side of mamdr.mjs: the same commands as pytorch_mamdr.py. Usage: polydomain_mamdr.mjs.
import { readFileSync } from 'node:fs';
import { Dataset, fit, models, optim, strategies } from '../../dist/esm/index.js';
import { addon } from '../../dist/esm/native/load.js';
import { answerAll } from './answers.mjs';

/** The training rows of a folder that the driver wrote, in tables `spread` times as large. */
function open(folder, spread) {
  const { sizes, domainOffsets } = JSON.parse(readFileSync(`${folder}/about.json`, 'utf8'));
  const bytes = (name) => readFileSync(`${folder}/${name}`).buffer;
  const ids = ['user', 'item'].map((name) =>
    new Int32Array(bytes(`${name}.i32`)).map((id) => spread * id),
  );
  const labels = new Float32Array(bytes('label.f32'));
  const none = {
    rows: 0,
    ids: [new Int32Array(), new Int32Array()],
    labels: new Float32Array(),
    domainOffsets: new Int32Array(domainOffsets.length),
  };
  const train = {
    rows: labels.length,
    ids,
    labels,
    domainOffsets: Int32Array.from(domainOffsets),
  };
  const features = Object.entries(sizes).map(([name, size]) => ({
    name,
    kind: 'categorical',
    size: spread * size,
  }));
  const domains = domainOffsets.slice(1).map((_, domain) => `${domain}`);
  const schema = { label: 'label', domain: 'domain', features, domains };
  return Dataset.of(schema, [[], []], [train, none, none]);
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
