// Does negotiation help where domains conflict? Every entry of settings.json at every strength of
// conflict, with draws of the problem of their own per seed. Goes on where it stopped.
//   node benchmarks/experiments/conflict/run.mjs -o benchmarks/results/conflict
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fit, metrics, models, optim, strategies } from '../../../dist/esm/index.js';
import { circumstances } from '../../circumstances.mjs';
import { conflictProblem } from './problem.mjs';
import { combinations, paired, set } from './statistics.mjs';

const { output } = parseArgs({ options: { output: { type: 'string', short: 'o' } } }).values;
const settings = JSON.parse(readFileSync(new URL('settings.json', import.meta.url), 'utf8'));
const file = join(output ?? 'benchmarks/results/conflict', 'runs.json');
mkdirSync(join(file, '..'), { recursive: true });
const runs = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).runs : [];

function write(path, document) {
  writeFileSync(`${path}.part`, `${JSON.stringify(document, null, 1)}\n`);
  renameSync(`${path}.part`, path);
}

let drawn = {};
/** The problem of a strength and seed; the last one is kept. */
function problem(strength, seed) {
  if (drawn.strength !== strength || drawn.seed !== seed) {
    drawn = { strength, seed, ...conflictProblem(settings.problem, strength, seed) };
  }
  return drawn;
}

/** Mean over the domains of the test AUC of the true probabilities. */
function ceiling(strength, seed) {
  const { data, columns, probabilities } = problem(strength, seed);
  const scores = data.schema.domains.map((domain) => {
    const rows = columns.part.flatMap((part, row) =>
      part === 'test' && columns.domain[row] === domain ? [row] : [],
    );
    const pick = (values) => Float32Array.from(rows, (row) => values[row]);
    return metrics.auc(pick(probabilities), pick(columns.label));
  });
  return scores.reduce((a, b) => a + b) / scores.length;
}

async function train(label, strength, seed, choice) {
  const key = JSON.stringify([label, strength, seed, choice]);
  const done = runs.find((run) => run.key === key);
  if (done) return done;
  const { tune: _, ...entry } = structuredClone(settings.entries[label]);
  const config = { optimizer: {}, ...entry };
  for (const [path, value] of Object.entries(choice)) set(config, path, value);
  const { name: model, ...modelOptions } = settings.model;
  const { name: strategy, ...strategyOptions } = config.strategy;
  const { data } = problem(strength, seed);
  const begun = process.cpuUsage();
  const run = await fit(models[model]({ ...modelOptions, schema: data.schema, seed }), data, {
    strategy: strategies[strategy](strategyOptions),
    ...(config.finetune && { finetune: config.finetune }),
    optimizer: optim.adam(config.optimizer),
    batchSize: settings.batchSize,
    epochs: settings.epochs,
    patience: settings.patience,
    seed,
    threads: 1,
  });
  const cpu = process.cpuUsage(begun);
  const { validation, test } = run.metrics;
  const result = {
    key,
    label,
    strength,
    seed,
    choice,
    validationAuc: validation.auc.mean,
    testAuc: test.auc.mean,
    byDomain: test.auc.byDomain,
    bestEpoch: run.bestEpoch,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
  };
  runs.push(result);
  write(file, { ...circumstances(), runs });
  console.log(
    `c ${strength} seed ${seed} ${label} ${JSON.stringify(choice)}: validation ` +
      `${validation.auc.mean.toFixed(4)}, test ${test.auc.mean.toFixed(4)}, epoch ${run.bestEpoch}`,
  );
  return result;
}

const [first, ...others] = settings.seeds;
const summary = [];
for (const strength of settings.strengths) {
  const scores = { 'true probabilities': [] };
  const chosen = {};
  for (const [label, { tune }] of Object.entries(settings.entries)) {
    const tried = [];
    for (const choice of combinations(tune))
      tried.push(await train(label, strength, first, choice));
    const best = tried.reduce((a, b) => (b.validationAuc > a.validationAuc ? b : a));
    chosen[label] = best.choice;
    scores[label] = [best.testAuc];
  }
  scores['true probabilities'].push(ceiling(strength, first));
  for (const seed of others) {
    for (const label of Object.keys(settings.entries)) {
      scores[label].push((await train(label, strength, seed, chosen[label])).testAuc);
    }
    scores['true probabilities'].push(ceiling(strength, seed));
  }
  for (const [label, own] of Object.entries(scores)) {
    summary.push({
      strength,
      label,
      choice: chosen[label],
      testAuc: own,
      ...paired(own, scores[settings.baseline]),
    });
  }
  for (const [label, other] of [
    ['mamdr', 'dn'],
    ['mamdr', 'dr'],
  ]) {
    summary.push({
      strength,
      label: `${label} against ${other}`,
      ...paired(scores[label], scores[other]),
    });
  }
}
write(join(file, '../summary.json'), { settings, ...circumstances(), summary });
console.table(
  summary.map(({ strength, label, mean, difference, halfWidth }) => ({
    strength,
    label,
    AUC: mean.toFixed(4),
    difference: `${difference.toFixed(4)} ± ${halfWidth.toFixed(4)}`,
  })),
);
