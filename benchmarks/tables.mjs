// Writes the tables of speed in README.md and benchmarks/README.md from results/benchmark-*.json, between the
// marks that they have for it. With --check it writes nothing, and exits with 1 where a table is another.
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

const folder = new URL('results/', import.meta.url);
const results = readdirSync(folder)
  .filter((name) => /^benchmark-.*\.json$/.test(name))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')))
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
      const { commit, date, versions } = result;
      const used = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
      return [
        `**${sizes(result.shapes[shape])}.** ${circumstances(result)}, commit ${commit.slice(0, 8)}, ${date.slice(0, 10)}; ${used.join(', ')}.`,
        markdown(summary(result, shape)),
        ...remarks(result).map((remark) => `- ${remark}`),
      ];
    })
    .map(([title, table, ...notes]) => [title, table, notes.join('\n')].join('\n\n'))
    .join('\n\n');
}

const peers = ['pytorch', 'tensorflow', 'onnxruntime-node', 'tfjs-wasm'];

/** The times alone. */
function short() {
  const rows = results.flatMap(({ result, shape }) => {
    const { shape: of, train, score, row, floor } = result.shapes[shape];
    const level = `${result.machine.simdLevel}${Object.keys(result.peerSettings).length > 0 ? ', forced' : ''}`;
    const tasks = [
      // tfjs does not train the embeddings.
      ['train step', { ...train, 'tfjs-wasm': undefined }, floor?.train],
      [`${of.batch} rows scored`, score, floor?.score],
      ['one row scored', row],
    ];
    return tasks.map(([task, times, least], t) => [
      t === 0 ? `embedding ${of.embedding}, hidden ${of.hidden.join('-')}, ${level}` : '',
      task,
      time(times[ours].median),
      ...peers.map((peer) => (times[peer] ? beside(times[peer].median, times[ours].median) : '-')),
      least ? beside(least.milliseconds, times[ours].median) : '-',
    ]);
  });
  return markdown([['MLP', '', ours, ...peers, 'floor'], ...rows]);
}

let stale = false;
for (const [file, table] of [
  ['../README.md', short()],
  ['README.md', everything()],
]) {
  const path = new URL(file, import.meta.url);
  const text = readFileSync(path, 'utf8');
  const marks = /(<!-- tables\.mjs -->\n)[\s\S]*?(<!-- end -->)/;
  if (!marks.test(text))
    throw new Error(`${file} has no place for tables: <!-- tables.mjs --> <!-- end -->`);
  const whole = text.replace(marks, (_, begin, end) => `${begin}\n${table}\n\n${end}`);
  if (whole === text) continue;
  stale = true;
  if (process.argv.includes('--check'))
    console.error(`${file}: the tables are not those of results/`);
  else writeFileSync(path, whole);
}
process.exitCode = stale && process.argv.includes('--check') ? 1 : 0;
