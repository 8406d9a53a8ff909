// What the phases of D-Train do to each domain: its validation AUC after every pass, and how far its
// head moves. Data and chosen settings are those of an entry of a comparison: Shared-Bottom, all phases.
//   node benchmarks/experiments/d-train/phases.mjs CONFIG RESULTS
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Dataset, fit, models, optim, strategies } from '../../../dist/esm/index.js';
import { circumstances } from '../../circumstances.mjs';

const epochs = 25;
const [config, folder] = process.argv.slice(2);
if (!folder) throw new Error('expected the config of a comparison and the folder of its results');
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const { entries, rows, seeds } = read(join(folder, 'compare.json'));
const { settings } = entries.find(({ label }) => label === 'Shared-Bottom, D-Train, all phases');
const data = await Dataset.open(read(config).data);
const { domains } = data.schema;

const { name: _, ...modelOptions } = settings.model;
const { name: optimizerName, ...rates } = settings.optimizer;
const { maxSteps } = settings.strategy;
const { stages, ...dTrain } = strategies.dTrain({ maxSteps });
const [preTrain, postTrain, fineTune] = stages;
/** Fine-tuning that can be watched pass by pass: as many for each domain. */
const passes = {
  name: fineTune.name,
  options: {},
  trained: 'heads',
  *epoch() {
    for (let domain = 0; domain < domains.length; domain++) yield { kind: 'run', domain, maxSteps };
  },
};

/** The values of each domain's tower. */
function heads(model) {
  const towers = [...model.parameters()].filter(([name]) => name.startsWith('towers.'));
  return domains.map((_, d) =>
    towers.flatMap(([, { data: values, shape }]) => {
      const width = values.length / shape[0];
      return [...values.subarray(d * width, (d + 1) * width)];
    }),
  );
}
/** Euclidean norms of what the heads moved by. */
const moved = (before, after) =>
  after.map((head, d) => Math.hypot(...head.map((value, i) => value - before[d][i])));

async function phases(seed) {
  const make = () => models.sharedBottom({ ...modelOptions, schema: data.schema, seed });
  const curves = {};
  const train = (model, stage, options = {}) =>
    fit(model, data, {
      strategy: { ...dTrain, stages: [stage] },
      optimizer: optim[optimizerName](rates),
      batchSize: settings.batchSize,
      epochs,
      // As many epochs for all seeds; each phase starts from the best one of that before it.
      patience: epochs,
      seed,
      threads: 1,
      onEvent({ kind, validation }) {
        if (kind === 'epoch') curves[stage.name]?.push(Object.values(validation.auc.byDomain));
      },
      ...options,
    });
  for (const { name } of stages) curves[name] = [];
  const model = make();
  await train(model, preTrain);
  const [root] = heads(model);
  const postTrained = await train(model, postTrain);
  const split = heads(model);
  await train(make(), passes, { from: postTrained });
  const { patience } = settings;
  await train(model, fineTune, { epochs: settings.epochs, patience, onEvent: undefined });
  return {
    seed,
    curves,
    moved: {
      'post-train': moved(
        domains.map(() => root),
        split,
      ),
      'fine-tune': moved(split, heads(model)),
    },
  };
}

const runs = [];
for (const seed of seeds) {
  runs.push(await phases(seed));
  console.log(`seed ${seed} of ${seeds.join(', ')}`);
}
const path = join(folder, 'phases.json');
const document = { ...circumstances(), settings, epochs, domains, rows: rows.train, runs };
writeFileSync(`${path}.part`, `${JSON.stringify(document, null, 1)}\n`);
renameSync(`${path}.part`, path);
