// Times a train step and a scored batch beside PyTorch's. README.md says what is measured and how.
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  load,
  machine,
  peerSimdSettings,
  revision,
  root,
  torchVersion,
  writeResult,
} from './machine.mjs';
import { Peer } from './peer.mjs';
import { median } from './statistics.mjs';
import { Undisturbed } from './undisturbed.mjs';

const overheadShape = 'overhead';
const matmulSize = 1024;
/** Timed passes within a round, of which the median counts: a short disturbance is dropped. */
const trainPasses = 3;
/** More of the shorter ones, so that a round outlasts the grain of the system's counters. */
const scorePasses = 15;
const overheadPasses = 5;

function options() {
  const { values } = parseArgs({
    options: {
      threads: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '9' },
      patience: { type: 'string', default: '600' },
      shape: { type: 'string', multiple: true },
    },
  });
  const { threads, rounds, patience, shape: only } = values;
  return { threads: Number(threads), rounds: Number(rounds), patience: Number(patience), only };
}

function fail(message) {
  console.error(message);
  process.exit(2);
}

/** The python to use, once everything that the benchmark needs is known to be there. */
function requirements() {
  if (!existsSync(`${root}dist/esm/index.js`)) {
    fail('benchmarks: dist/ is missing; run "npm run build" first');
  }
  const python = process.env.POLYDOMAIN_PYTHON ?? 'python3';
  const torch = torchVersion(python);
  if (torch) return { python, torch };
  return fail(
    `benchmarks: '${python}' cannot import torch. Install it, for instance:\n` +
      '  python3 -m venv /tmp/peer\n' +
      '  /tmp/peer/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu\n' +
      '  POLYDOMAIN_PYTHON=/tmp/peer/bin/python node benchmarks/train-step.mjs',
  );
}

function startPeers(python, threads) {
  const script = (name) => `${root}benchmarks/peers/${name}`;
  const own = { POLYDOMAIN_THREADS: `${threads}` };
  return {
    ours: new Peer(process.execPath, [script('polydomain_train.mjs'), `${threads}`], own),
    peer: new Peer(python, [script('pytorch_train.py'), `${threads}`], peerSimdSettings()),
  };
}

/**
 * One pass over every domain: from then on each row that a step touches has its pages of weights and
 * optimizer state, threads are started and caches of libraries filled.
 */
async function warmUp(side, { steps, domains }) {
  await side.ask('train', { steps, repeats: domains });
  await side.ask('score', { batches: steps, repeats: 1 });
}

/**
 * Answers of each round by side, and how many of the rounds others disturbed all the same. Who begins
 * changes from round to round.
 */
async function alternate(sides, { rounds, undisturbed }, command, options) {
  const answers = { ours: [], peer: [] };
  let disturbedRounds = 0;
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 ? ['peer', 'ours'] : ['ours', 'peer']) {
      const { answer, disturbed } = await undisturbed.run(() => sides[side].ask(command, options));
      answers[side].push(answer);
      if (disturbed) disturbedRounds++;
    }
  }
  return { ...answers, disturbedRounds };
}

function rounded(value) {
  return Number(value.toPrecision(4));
}

function medianSeconds(answers, key = 'seconds') {
  return median(answers.map((answer) => answer[key]));
}

/** Medians of both sides in milliseconds, their ratio (below 1: ours is faster) and all rounds. */
function compared({ ours, peer, disturbedRounds }) {
  const milliseconds = (answers) => answers.map(({ seconds }) => rounded(1000 * seconds));
  return {
    ours: rounded(1000 * medianSeconds(ours)),
    peer: rounded(1000 * medianSeconds(peer)),
    ratio: rounded(medianSeconds(ours) / medianSeconds(peer)),
    rounds: { ours: milliseconds(ours), peer: milliseconds(peer) },
    disturbedRounds,
  };
}

/** Operations of the products of a step: forward, and backward to the weights and to the input. */
function productFlops({ embedding, hidden, batch }) {
  let width = 3 * embedding;
  let weights = 0;
  for (const size of [...hidden, 1]) {
    weights += width * size;
    width = size;
  }
  return 3 * 2 * batch * weights;
}

/**
 * Bytes of the rows that a step touches: weight and both moments read and written, gradient read.
 * A user or item occurs about once in a batch; the domain is one row.
 */
function rowBytes({ embedding, batch }) {
  return (2 * batch + 1) * 7 * embedding * 4;
}

/** GFLOP/s of a large product: ours, torch.mm, and oneDNN where PyTorch has it. */
async function gemmPeaks(sides, settings) {
  const options = { size: matmulSize, repeats: 9 };
  const { ours, peer } = await alternate(sides, settings, 'matmul', options);
  const gflops = (seconds) => rounded((2 * matmulSize ** 3) / seconds / 1e9);
  const peaks = { ours: gflops(medianSeconds(ours)), peer: gflops(medianSeconds(peer)) };
  const onednn = medianSeconds(peer, 'onednnSeconds');
  return Number.isFinite(onednn) ? { ...peaks, onednn: gflops(onednn) } : peaks;
}

/** Rate at which random rows are read and written back, counting both directions. */
async function rowRate(sides, { undisturbed }, { embedding: dim, users, items }) {
  const options = { tableRows: users + items, dim, rows: 4096, repeats: 5 };
  const { answer } = await undisturbed.run(() => sides.peer.ask('rows', options));
  return rounded((2 * dim * 4) / answer.seconds / 1e9);
}

/** What a step takes at least: its products at the best product's rate, its rows at memory's. */
async function floor(sides, settings, shape) {
  const gemmGflops = await gemmPeaks(sides, settings);
  const rowGigabytesPerSecond = await rowRate(sides, settings, shape);
  const flops = productFlops(shape);
  const bytes = rowBytes(shape);
  const productMilliseconds = flops / Math.max(...Object.values(gemmGflops)) / 1e6;
  const rowMilliseconds = bytes / rowGigabytesPerSecond / 1e6;
  return {
    flops,
    gemmGflops,
    productMilliseconds: rounded(productMilliseconds),
    bytes,
    rowGigabytesPerSecond,
    rowMilliseconds: rounded(rowMilliseconds),
    milliseconds: rounded(productMilliseconds + rowMilliseconds),
  };
}

/** Runs `body` with both sides set up and warm on a shape, each in a fresh process. */
async function withShape(shape, { python, threads }, body) {
  const sides = startPeers(python, threads);
  try {
    const started = {};
    for (const side of ['ours', 'peer']) {
      started[side] = await sides[side].ask('shape', { shape, steps: shape.steps });
      await warmUp(sides[side], shape);
    }
    return await body(sides, started);
  } finally {
    sides.ours.quit();
    sides.peer.quit();
  }
}

function measure(shape, settings) {
  const { steps } = shape;
  return withShape(shape, settings, async (sides, started) => {
    const time = async (command, options) =>
      compared(await alternate(sides, settings, command, options));
    const trained = await time('train', { steps, repeats: trainPasses });
    const scored = await time('score', { batches: steps, repeats: scorePasses });
    // Asked for before the floor's own tables weigh in.
    const peak = async (side) => {
      const { peakRssBytes } = await sides[side].ask('score', { batches: 1, repeats: 1 });
      return Math.round(peakRssBytes / 2 ** 20);
    };
    const peakRssMebibytes = { ours: await peak('ours'), peer: await peak('peer') };
    const least = await floor(sides, settings, shape);
    return {
      started,
      result: {
        shape,
        trainStepMilliseconds: trained,
        scoredBatchMilliseconds: scored,
        peakRssMebibytes,
        floor: { ...least, oursToFloor: rounded(trained.ours / least.milliseconds) },
      },
    };
  });
}

/** A step whose kernels have next to nothing to do: what is left is the program around them. */
function measureOverhead(shape, settings) {
  return withShape(shape, settings, async (sides) => {
    const options = { steps: shape.steps, repeats: overheadPasses };
    const { ours, peer } = await alternate(sides, settings, 'train', options);
    const microseconds = (answers) => rounded(1e6 * medianSeconds(answers));
    return { ours: microseconds(ours), peer: microseconds(peer) };
  });
}

function table(shapes, overhead) {
  const line = (cells) => cells.map((cell, i) => `${cell}`[i ? 'padStart' : 'padEnd'](14)).join('');
  const lines = [line(['', 'ours', 'PyTorch', 'ratio', 'floor'])];
  for (const [name, result] of Object.entries(shapes)) {
    const { trainStepMilliseconds: train, scoredBatchMilliseconds: score } = result;
    const { peakRssMebibytes: rss, floor: least } = result;
    const gflops = least.gemmGflops;
    lines.push(
      name,
      line(['  step, ms', train.ours, train.peer, train.ratio, least.milliseconds]),
      line(['  score, ms', score.ours, score.peer, score.ratio, '']),
      line(['  peak, MiB', rss.ours, rss.peer, rounded(rss.ours / rss.peer), '']),
      line(['  GFLOP/s', gflops.ours, gflops.peer, '', gflops.onednn ?? '']),
      line(['  disturbed', train.disturbedRounds + score.disturbedRounds, '', '', '']),
    );
  }
  lines.push(line(['overhead, us', overhead.ours, overhead.peer, '', '']));
  return lines.join('\n');
}

async function main() {
  const { threads, rounds, patience, only } = options();
  const { python, torch } = requirements();
  const settings = { python, threads, rounds, undisturbed: new Undisturbed(patience) };
  const loadAtStart = load();
  const all = JSON.parse(readFileSync(new URL('shapes.json', import.meta.url), 'utf8'));
  const shapes = {};
  let versions;
  for (const [name, shape] of Object.entries(all)) {
    if (name === overheadShape || (only && !only.includes(name))) continue;
    console.error(`measuring ${name}`);
    const { started, result } = await measure(shape, settings);
    versions = started;
    shapes[name] = result;
  }
  if (!versions) fail(`benchmarks: no shape of that name; expected ${Object.keys(all).join(', ')}`);
  console.error('measuring the overhead');
  const overhead = await measureOverhead(all[overheadShape], settings);
  const result = {
    machine: {
      ...machine(),
      simdLevel: versions.ours.simdLevel,
      peerSimdLevel: versions.peer.simdLevel,
      load: { start: loadAtStart, end: load() },
    },
    versions: { node: process.versions.node, polydomain: versions.ours.version, torch },
    ...revision(),
    date: new Date().toISOString(),
    threads,
    rounds,
    peerSettings: peerSimdSettings(),
    shapes,
    overheadMicroseconds: overhead.ours,
    peerOverheadMicroseconds: overhead.peer,
  };
  const path = writeResult('train-step', versions.ours.simdLevel, result);
  console.error(`${table(shapes, overhead)}\nwritten to ${path}`);
}

await main();
