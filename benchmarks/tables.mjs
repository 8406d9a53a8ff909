// Writes the tables of speed in README.md and benchmarks/README.md from results/, between the marks
// that they have for it. With --check it writes nothing, and exits with 1 where a table is another.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ours } from '../dist/esm/benchmark/peers.js';
import {
  beside,
  circumstances,
  remarks,
  sizes,
  summary,
  time,
} from '../dist/esm/cli/benchmark-summary.js';
import { bytes } from '../dist/esm/cli/progress.js';

const folder = new URL('results/', import.meta.url);

/** What the files <kind>-*.json hold, those of a wider level first. */
function resultsOf(kind) {
  return readdirSync(folder)
    .filter((name) => name.startsWith(`${kind}-`) && name.endsWith('.json'))
    .sort((a, b) => b.length - a.length)
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));
}

const results = resultsOf('benchmark')
  .flatMap((result) => Object.keys(result.shapes).map((shape) => ({ result, shape })))
  .sort((a, b) => order(a) - order(b));

/** The paper's sizes first, and what the machine has before what was forced. */
function order({ result, shape }) {
  return (shape === 'paper' ? 0 : 2) + (result.machine.simdLevel === 'avx512' ? 0 : 1);
}

function markdown([heading, ...rows]) {
  const widths = heading.map((_, c) => Math.max(...[heading, ...rows].map((row) => row[c].length)));
  const line = (cells) => `| ${cells.map((cell, c) => cell.padEnd(widths[c])).join(' | ')} |`;
  return [line(heading), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join(
    '\n',
  );
}

/** Everything that was measured, a table per shape and SIMD level. */
function everything() {
  return results
    .map(({ result, shape }) => {
      const { versions } = result;
      const used = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
      return [
        `**${sizes(result.shapes[shape])}.** ${circumstances(result)}, ${madeOf(result)}; ${used.join(', ')}.`,
        markdown(summary(result, shape)),
        ...remarks(result).map((remark) => `- ${remark}`),
      ];
    })
    .map(([title, table, ...notes]) => [title, table, notes.join('\n')].join('\n\n'))
    .join('\n\n');
}

const peers = ['pytorch', 'tensorflow', 'onnxruntime-node', 'tfjs-wasm'];

/** A shape and the SIMD level at which it was measured. */
function shapeAndLevel({ machine, peerSettings }, { embedding, hidden }) {
  const forced = Object.keys(peerSettings).length > 0 ? ', forced' : '';
  return `embedding ${embedding}, hidden ${hidden.join('-')}, ${machine.simdLevel}${forced}`;
}

/** Times and memory alone. */
function short() {
  const rows = results.flatMap(({ result, shape }) => {
    const { shape: of, train, score, row, floor, peakBytes } = result.shapes[shape];
    const tasks = [
      // tfjs does not train the embeddings.
      ['train step', { ...train, 'tfjs-wasm': undefined }, floor?.train],
      [`${of.batch} rows scored`, score, floor?.score],
      ['one row scored', row],
    ];
    const timed = tasks.map(([task, times, least], t) => [
      t === 0 ? shapeAndLevel(result, of) : '',
      task,
      time(times[ours].median),
      ...peers.map((peer) => (times[peer] ? beside(times[peer].median, times[ours].median) : '-')),
      least ? beside(least.milliseconds, times[ours].median) : '-',
    ]);
    return [
      ...timed,
      ['', 'memory', ...[ours, ...peers].map((peer) => bytes(peakBytes[peer])), ''],
    ];
  });
  return markdown([['MLP', '', ours, ...peers, 'floor'], ...rows]);
}

const seconds = (value) => `${Number(value.toPrecision(3))} s`;
const memory = (peaks, sides) => sides.map((side) => bytes(peaks[side] * 2 ** 20));
/** Of both sides, as `show` has it, and how often ours goes into the peer's. */
const compared = ({ ours, peer, ratio }, show) => [show(ours), show(peer), `${ratio.toFixed(1)}x`];
const madeOf = ({ commit, date }) => `commit ${commit.slice(0, 8)}, ${date.slice(0, 10)}`;

/** The circumstances of measurements: those that share them are told of once. */
function measured(entries) {
  const about = new Map();
  for (const [name, { machine, peerSettings = {}, threads, ...revision }] of entries) {
    const text = `${circumstances({ machine, peerSettings, threads })}, ${madeOf(revision)}`;
    about.set(text, [...(about.get(text) ?? []), name]);
  }
  const texts = [...about];
  if (texts.length === 1) return `${texts[0][0]}.`;
  return `${texts.map(([text, names]) => `${text} (${names.join(', ')})`).join('; ')}.`;
}

/** Adam that moves every row in every step, ours by catching up, beside PyTorch's on whole tables. */
function denseRows() {
  const sides = ['polydomain-dense', 'pytorch-dense'];
  const shown = resultsOf('dense-rows')
    .flatMap((result) => Object.keys(result.shapes).map((shape) => ({ result, shape })))
    .sort((a, b) => order(a) - order(b));
  const where = shown.map(
    ({ result }) => `${result.machine.cpu}, ${result.threads} threads, ${madeOf(result)}`,
  );
  const rows = shown.map(({ result, shape }) => {
    const { shape: of, train, peakBytes } = result.shapes[shape];
    const [own, peer] = sides.map((side) => train[side].median);
    return [
      shapeAndLevel(result, of),
      ...[train[ours].median, own, peer].map(time),
      `${(peer / own).toFixed(1)}x`,
      ...sides.map((side) => bytes(peakBytes[side])),
    ];
  });
  const heading = ['train step', 'rows lazy', 'rows dense', 'pytorch, dense', 'ratio'];
  return [
    `${[...new Set(where)].join('; ')}.`,
    markdown([[...heading, 'memory of rows dense', 'of pytorch'], ...rows]),
  ].join('\n\n');
}

/** Every model's train step beside PyTorch's, a table per SIMD level. */
function models() {
  return resultsOf('models')
    .map(({ models }) => {
      const rows = Object.entries(models).map(([name, one]) => [
        name,
        ...compared(one, time),
        time(one.floor.milliseconds),
        ...memory(one.peakRssMebibytes, ['ours', 'peer']),
      ]);
      const heading = ['model', ours, 'pytorch', 'ratio', 'floor', 'memory', 'of pytorch'];
      return `${measured(Object.entries(models))}\n\n${markdown([heading, ...rows])}`;
    })
    .join('\n\n');
}

/** A MAMDR epoch beside PyTorch's, then ours in larger tables with the same rows. */
function mamdr() {
  return resultsOf('mamdr')
    .map(({ cases }) => {
      const entries = Object.entries(cases);
      const beside = entries.filter(([, one]) => one.peer !== undefined);
      const spread = entries.filter(([, one]) => one.spreadBy !== undefined);
      const epochs = beside.map(([name, one]) => [
        name,
        one.rows.toLocaleString('en'),
        ...compared(one, seconds),
        seconds(one.peerTables),
        seconds(one.floor.seconds),
        ...memory(one.peakRssMebibytes, ['ours', 'peer']),
      ]);
      const larger = spread.map(([name, one]) => [
        name.replace(/,.*/, ''),
        ...[one.first, one.second].flatMap(({ once, spread, ratio }) => [
          seconds(once),
          `${seconds(spread)} (${ratio.toFixed(2)})`,
        ]),
        ...memory(one.peakRssMebibytes, ['once', 'spread']),
      ]);
      return [
        measured(entries),
        markdown([
          [
            'MAMDR epoch',
            'rows',
            ours,
            'pytorch',
            'ratio',
            'of it tables',
            'floor',
            'memory',
            'of pytorch',
          ],
          ...epochs,
        ]),
        markdown([
          [
            'in tables',
            'first epoch',
            'ten times as large',
            'second epoch',
            'ten times as large',
            'memory',
            'ten times as large',
          ],
          ...larger,
        ]),
      ].join('\n\n');
    })
    .join('\n\n');
}

/** Text with what stands between the marks of a table replaced. */
function replaced(text, file, name, table) {
  const marks = new RegExp(`(<!-- tables\\.mjs: ${name} -->\\n)[\\s\\S]*?(<!-- end -->)`);
  if (!marks.test(text))
    throw new Error(`${file} has no place for tables: <!-- tables.mjs: ${name} --> <!-- end -->`);
  return text.replace(marks, (_, begin, end) => `${begin}\n${table}\n\n${end}`);
}

let stale = false;
for (const [file, tables] of [
  ['../README.md', { short: short() }],
  [
    'README.md',
    {
      everything: everything(),
      'dense rows': denseRows(),
      models: models(),
      mamdr: mamdr(),
    },
  ],
]) {
  const path = new URL(file, import.meta.url);
  const text = readFileSync(path, 'utf8');
  const whole = Object.entries(tables).reduce(
    (sofar, [name, table]) => replaced(sofar, file, name, table),
    text,
  );
  if (whole === text) continue;
  stale = true;
  if (process.argv.includes('--check'))
    console.error(`${file}: the tables are not those of results/`);
  else writeFileSync(path, whole);
}
process.exitCode = stale && process.argv.includes('--check') ? 1 : 0;
