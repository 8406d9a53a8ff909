// Times a train step of every model beside the same model in PyTorch. README.md says what is measured.
// A run of some models (--model mmoe --model ple) replaces those in the result and keeps the others.
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { leastOf } from '../dist/esm/benchmark/floor.js';
import { peerSimdSettings } from '../dist/esm/benchmark/machine.js';
import { Peer } from '../dist/esm/benchmark/peer.js';
import { missing } from '../dist/esm/benchmark/peers.js';
import { median, rounded } from '../dist/esm/benchmark/statistics.js';
import { Undisturbed } from '../dist/esm/benchmark/undisturbed.js';
import { machine, revision, root, writeResult } from './machine.mjs';
import { ratesOf } from './rates.mjs';

/** Steps of a pass over one domain. */
const steps = 10;
/** Passes of a round, of which the median counts. */
const passes = 3;

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '7' },
    patience: { type: 'string', default: '60' },
    model: { type: 'string', multiple: true },
  },
});
const threads = Number(values.threads);
const rounds = Number(values.rounds);
const undisturbed = new Undisturbed(Number(values.patience));
const python = process.env.POLYDOMAIN_PYTHON ?? 'python3';

const described = JSON.parse(readFileSync(new URL('models.json', import.meta.url), 'utf8'));

function fail(message) {
  console.error(message);
  process.exit(2);
}

/** The shapes to measure, by model. */
function shapes() {
  const { shape, options, models } = described;
  const names = values.model ?? Object.keys(models);
  return names.map((name) => {
    if (!models[name]) fail(`models: '${name}'; expected one of ${Object.keys(models).join(', ')}`);
    const { model = name, ...own } = models[name];
    const all = Object.entries({ ...options, ...own }).filter(([, value]) => value !== null);
    return [name, { ...shape, model, options: Object.fromEntries(all) }];
  });
}

/** Both sides' medians in milliseconds, their ratio (above 1: ours is faster), and peak memory. */
async function measure(shape, rates) {
  const script = (name) => `${root}benchmarks/peers/${name}`;
  const sides = {
    ours: new Peer('polydomain', [process.execPath, script('polydomain_models.mjs'), `${threads}`]),
    peer: new Peer(
      'pytorch',
      [python, script('pytorch_models.py'), `${threads}`],
      peerSimdSettings(),
    ),
  };
  try {
    const started = {};
    const answers = { ours: [], peer: [] };
    for (const side of ['ours', 'peer']) {
      started[side] = await sides[side].ask('shape', { shape, steps });
      // A pass over every domain brings the pages of all rows that will be touched.
      await sides[side].ask('train', { repeats: shape.domains });
    }
    let disturbedRounds = 0;
    for (let round = 0; round < rounds; round++) {
      for (const side of round % 2 ? ['peer', 'ours'] : ['ours', 'peer']) {
        const ask = () => sides[side].ask('train', { repeats: passes });
        const { answer, disturbed } = await undisturbed.run(ask);
        answers[side].push(answer);
        if (disturbed) disturbedRounds++;
      }
    }
    const { flops, bytes } = await sides.peer.ask('work');
    const milliseconds = (side) => answers[side].map(({ seconds }) => rounded(1000 * seconds));
    const middle = (side) => rounded(median(milliseconds(side)));
    const peak = (side) => Math.round(answers[side].at(-1).peakRssBytes / 2 ** 20);
    return {
      ...{ ours: middle('ours'), peer: middle('peer') },
      ratio: rounded(middle('peer') / middle('ours')),
      floor: { ...leastOf(rates, flops, bytes), ...rates },
      rounds: { ours: milliseconds('ours'), peer: milliseconds('peer') },
      disturbedRounds,
      peakRssMebibytes: { ours: peak('ours'), peer: peak('peer') },
      machine: { ...machine(), ...started.ours, peer: started.peer },
      peerSettings: peerSimdSettings(),
      ...revision(),
      date: new Date().toISOString(),
      threads,
    };
  } finally {
    await sides.ours.end();
    await sides.peer.end();
  }
}

const columns = ['ours, ms', 'PyTorch', 'ratio', 'floor', 'MiB', 'PyTorch'];

function line(name, cells) {
  return [name.padEnd(14), ...cells.map((cell) => `${cell}`.padStart(10))].join('');
}

function lineOf(name, { ours, peer, ratio, floor, peakRssMebibytes: peak }) {
  return line(name, [ours, peer, ratio, floor.milliseconds, peak.ours, peak.peer]);
}

/** Puts a model's result among those of the file, in the order of models.json. */
function keep(name, result) {
  const { simdLevel } = result.machine;
  const path = `${root}benchmarks/results/models-${simdLevel}.json`;
  const kept = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).models : {};
  const all = { ...kept, [name]: result };
  const names = Object.keys(described.models).filter((one) => all[one]);
  writeResult('models', simdLevel, {
    models: Object.fromEntries(names.map((one) => [one, all[one]])),
  });
}

const lacking = missing('pytorch');
if (lacking) fail(`models: PyTorch is missing; ${lacking}`);
const { users, items } = described.shape;
const dim = described.options.embeddingDim;
const rates = await ratesOf({ tableRows: users + items, dim }, threads, undisturbed);
console.log(line('', columns));
for (const [name, shape] of shapes()) {
  const result = { shape, ...(await measure(shape, rates)) };
  keep(name, result);
  console.log(lineOf(name, result));
}
