// Times a MAMDR epoch (DN and DR with k = 5, whole passes) beside PyTorch. README.md says what is measured.
// node benchmarks/mamdr.mjs --goodbooks FOLDER [--case goodbooks-16] [--rounds 3] [--full] [--spread]
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { leastOf } from '../dist/esm/benchmark/floor.js';
import { peerSimdSettings } from '../dist/esm/benchmark/machine.js';
import { Peer } from '../dist/esm/benchmark/peer.js';
import { missing } from '../dist/esm/benchmark/peers.js';
import { median, rounded } from '../dist/esm/benchmark/statistics.js';
import { Undisturbed } from '../dist/esm/benchmark/undisturbed.js';
import { Dataset } from '../dist/esm/index.js';
import { amazon, items, trainingRows, users } from './amazon.mjs';
import { machine, revision, root, writeResult } from './machine.mjs';
import { ratesOf } from './rates.mjs';

const helpers = 5;
const rate = 0.1;
const batch = 1024;
const learningRate = 0.001;
const large = { embeddingDim: 128, hidden: [256, 128, 64], dropout: 0.5 };
const small = { embeddingDim: 16, hidden: [64, 32], dropout: 0.5 };
/** Of each: its data, model, and what PyTorch does of an epoch: so many domains, passes of so many steps. */
const cases = {
  'goodbooks-128': { data: 'goodbooks', options: large, part: { domains: 4, maxSteps: 12 } },
  'goodbooks-16': { data: 'goodbooks', options: small, part: { domains: 4, maxSteps: 40 } },
  'amazon-128': { data: 'amazon', options: large, part: { domains: 2, maxSteps: 12 } },
  'amazon-16': { data: 'amazon', options: small, part: { domains: 2, maxSteps: 40 } },
};
/** Of Amazon-6's rows one in so many is drawn; users and items are all there. */
const thinned = 10;
/** Tables of --spread are so many times as large, with the same rows touched. */
const spreadBy = 10;

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    patience: { type: 'string', default: '60' },
    goodbooks: { type: 'string' },
    case: { type: 'string', multiple: true },
    // PyTorch's epoch in full, to see how far the extrapolation is from it.
    full: { type: 'boolean', default: false },
    // Ours alone, in larger tables beside the same tables, in turns.
    spread: { type: 'boolean', default: false },
  },
});
const threads = Number(values.threads);
const rounds = Number(values.rounds);
const undisturbed = new Undisturbed(Number(values.patience));
const python = process.env.POLYDOMAIN_PYTHON ?? 'python3';

function fail(message) {
  console.error(message);
  process.exit(2);
}

const mebibytes = (bytes) => Math.round(bytes / 2 ** 20);
const script = (name) => `${root}benchmarks/peers/${name}`;

/** Training rows and table sizes of a case's data. */
async function dataOf(name) {
  if (name === 'amazon') {
    const { split } = amazon({ rows: Math.round(trainingRows / thinned), seed: 1 });
    return { sizes: { user: users, item: items }, train: split };
  }
  if (!values.goodbooks) fail('mamdr: --goodbooks is missing; expected the folder of goodbooks');
  const config = JSON.parse(readFileSync(`${root}examples/goodbooks/config.json`, 'utf8'));
  const { schema, train } = await Dataset.open({ ...config.data, source: values.goodbooks });
  const [user, item] = schema.features.map(({ size }) => size);
  return { sizes: { user, item }, train };
}

/** Writes the rows for both sides to read. */
function write(folder, { sizes, train }) {
  writeFileSync(`${folder}/user.i32`, train.ids[0]);
  writeFileSync(`${folder}/item.i32`, train.ids[1]);
  writeFileSync(`${folder}/label.f32`, train.labels);
  const about = { sizes, domainOffsets: [...train.domainOffsets] };
  writeFileSync(`${folder}/about.json`, JSON.stringify(about));
}

/**
 * What an epoch is made of: DN goes over every domain once, DR does so twice in each of its rounds (over the
 * draws a domain is as often a helper as any other).
 */
function epochOf({ train }) {
  const offsets = [...train.domainOffsets];
  const domains = offsets.length - 1;
  const passes = 1 + 2 * (helpers + 1);
  const steps = offsets
    .slice(1)
    .map((end, d) => Math.ceil((end - offsets[d]) / batch))
    .reduce((sum, one) => sum + one, 0);
  return {
    domains,
    rows: train.rows,
    passes: domains * passes,
    steps: steps * passes,
    rounds: domains * (helpers + 1),
  };
}

function startOurs() {
  const own = { POLYDOMAIN_THREADS: `${threads}` };
  return new Peer('polydomain', [process.execPath, script('polydomain_mamdr.mjs')], own);
}

function startPeer() {
  const command = [python, script('pytorch_mamdr.py'), `${threads}`];
  return new Peer('pytorch', command, peerSimdSettings());
}

/** The answers of every side to `rounds` epochs in turns, by side, and what they said of themselves. */
async function turns(sides, asked) {
  const answers = Object.fromEntries(Object.keys(sides).map((side) => [side, []]));
  let disturbedRounds = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [side, peer] of Object.entries(sides)) {
      const { answer, disturbed } = await undisturbed.run(() => peer.ask('epoch', asked[side]));
      answers[side].push(answer);
      if (disturbed) disturbedRounds++;
    }
  }
  return { answers, disturbedRounds };
}

/** PyTorch's epoch from what it did: passes by their steps, rounds by their number, the outer step as it is. */
function extrapolated({ seconds, steps, rounds: done }, epoch) {
  const passes = (seconds.passes / steps) * epoch.steps;
  const tables = (seconds.rounds / done) * epoch.rounds + seconds.outer;
  return { passes, tables, seconds: passes + tables };
}

const circumstances = (started) => ({
  machine: { ...machine(), ...started },
  peerSettings: peerSimdSettings(),
  ...revision(),
  date: new Date().toISOString(),
  threads,
});

const secondsOf = (answers) => answers.map(({ seconds }) => rounded(seconds));

async function besidePytorch({ options, part }, settings, epoch) {
  const sides = { ours: startOurs(), peer: startPeer() };
  try {
    const work = { helpers, rate };
    const ours = await sides.ours.ask('model', { ...settings, options });
    const peer = await sides.peer.ask('model', { ...settings, options });
    const pass = await sides.peer.ask('work');
    const asked = { ours: work, peer: { ...work, ...(values.full ? {} : part) } };
    // Warms PyTorch up; ours is an epoch of a fresh model each time.
    await sides.peer.ask('epoch', { ...work, ...part });
    const { answers, disturbedRounds } = await turns(sides, asked);
    const last = answers.peer.at(-1);
    // A domain's own tables come with its first round.
    const missing = (epoch.domains - last.ownDomains) * last.ownBytes;
    const peers = answers.peer.map((answer) => extrapolated(answer, epoch));
    const middle = (key) => rounded(median(peers.map((one) => one[key])));
    const seconds = rounded(median(secondsOf(answers.ours)));
    const passes = epoch.passes / epoch.domains;
    return {
      ours: seconds,
      peer: middle('seconds'),
      ratio: rounded(middle('seconds') / seconds),
      rounds: { ours: secondsOf(answers.ours), peer: peers.map((one) => rounded(one.seconds)) },
      disturbedRounds,
      peerPasses: middle('passes'),
      peerTables: middle('tables'),
      peerShareOfSteps: rounded(last.steps / epoch.steps),
      peakRssMebibytes: {
        ours: mebibytes(answers.ours.at(-1).peakRssBytes),
        peer: mebibytes(last.peakRssBytes + missing),
        peerMeasured: mebibytes(last.peakRssBytes),
      },
      work: { flops: passes * pass.flops, bytes: passes * pass.bytes },
      ...circumstances({ ...ours, peer }),
    };
  } finally {
    for (const side of Object.values(sides)) await side.end();
  }
}

/** Ours in tables as they are and in larger ones, with the same rows: the first epoch and the second. */
async function spread({ options }, settings) {
  const sides = { once: startOurs(), spread: startOurs() };
  try {
    const ours = await sides.once.ask('model', { ...settings, options });
    await sides.spread.ask('model', { ...settings, options, spread: spreadBy });
    const work = { helpers, rate, epochs: 2 };
    const { answers, disturbedRounds } = await turns(sides, { once: work, spread: work });
    const compared = (key) => {
      const [once, larger] = ['once', 'spread'].map((side) =>
        answers[side].map((answer) => rounded(answer[key])),
      );
      const ratio = rounded(median(larger) / median(once));
      return {
        once: median(once),
        spread: median(larger),
        ratio,
        rounds: { once, spread: larger },
      };
    };
    const peak = (side) => mebibytes(answers[side].at(-1).peakRssBytes);
    return {
      spreadBy,
      first: compared('seconds'),
      second: compared('last'),
      disturbedRounds,
      peakRssMebibytes: { once: peak('once'), spread: peak('spread') },
      ...circumstances(ours),
    };
  } finally {
    for (const side of Object.values(sides)) await side.end();
  }
}

function keep(label, result) {
  const { simdLevel } = result.machine;
  const path = `${root}benchmarks/results/mamdr-${simdLevel}.json`;
  const kept = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).cases : {};
  writeResult('mamdr', simdLevel, { cases: { ...kept, [label]: result } });
}

const lacking = missing('pytorch');
if (lacking) fail(`mamdr: PyTorch is missing; ${lacking}`);
for (const name of values.case ?? Object.keys(cases)) {
  const one = cases[name];
  if (!one) fail(`mamdr: '${name}'; expected one of ${Object.keys(cases).join(', ')}`);
  const folder = mkdtempSync(`${tmpdir()}/polydomain-mamdr-`);
  try {
    const data = await dataOf(one.data);
    write(folder, data);
    const epoch = epochOf(data);
    const { data: rows, options, part } = one;
    const about = { data: rows, sizes: data.sizes, ...epoch, options };
    const settings = { folder, batch, learningRate };
    console.error(`${name}: ${epoch.rows} rows, ${epoch.steps} steps in ${epoch.passes} passes`);
    if (values.spread) {
      const result = await spread(one, settings);
      keep(`${name}, larger tables`, { ...about, ...result });
      console.log(name, result.first, result.second, result.peakRssMebibytes);
      continue;
    }
    const { work, ...result } = await besidePytorch(one, settings, epoch);
    const table = { tableRows: data.sizes.user + data.sizes.item, dim: options.embeddingDim };
    const rates = await ratesOf(table, threads, undisturbed);
    const { flops, bytes } = work;
    const seconds = rounded(leastOf(rates, flops, bytes).milliseconds / 1000);
    const floor = { flops, bytes, seconds, ...rates };
    const label = values.full ? `${name}, PyTorch in full` : name;
    keep(label, { ...about, ...(values.full ? {} : { part }), ...result, floor });
    const { ours, peer, ratio, peakRssMebibytes, peerTables } = result;
    console.log(label, { ours, peer, ratio, floor: floor.seconds, peerTables }, peakRssMebibytes);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
