// Raw rows to a prepared folder (Dataset.prepare): 1, 10 and 100 million rows of CSV. Memory must not grow with
// them, but for a byte per row with random parts. Writes results/preparing-<SIMD level>.json.
//
//   node benchmarks/preparing.mjs [folder for the data, 5.2 GB at most] [rows ...]
import { spawn } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Dataset } from '../dist/esm/index.js';
import { circumstances } from './circumstances.mjs';
import { load, writeResult } from './machine.mjs';
import { peakBytes } from './peers/memory.mjs';
import { writeRaw } from './synthetic.mjs';

const roles = { domain: 'domain', label: 'label', features: ['user', 'item'] };
/** What is prepared, by the number of rows. */
const tasks = {
  'parts by time': (rows) => ({ ...roles, split: { time: 'time', at: [0.8 * rows, 0.9 * rows] } }),
  'random parts': () => ({ ...roles, split: { random: [0.8, 0.1, 0.1] }, seed: 1 }),
};

async function prepare(source, rows, task) {
  const begun = performance.now();
  await Dataset.prepare({ source, ...tasks[task](rows) }, `${source}.prepared`);
  const seconds = (performance.now() - begun) / 1000;
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
  return { seconds, rowsPerSecond: Math.round(rows / seconds), cpuSeconds, peakBytes: peakBytes() };
}

/** Bytes on disk below a folder, of which files may vanish meanwhile. */
function bytesIn(folder) {
  let bytes = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
      if (entry.isFile()) bytes += 512 * lstatSync(join(entry.parentPath, entry.name)).blocks;
    }
  } catch {
    // What is left of it counts the next time.
  }
  return bytes;
}

/** In a process of its own, with the disk space that it takes beside its source. */
async function measure(source, rows, task) {
  const folder = `${source}.prepared`;
  const script = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, [script, '--measure', source, rows, task], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (piece) => {
    text += piece;
  });
  let mostBytes = 0;
  const watch = setInterval(() => {
    mostBytes = Math.max(mostBytes, bytesIn(folder));
  }, 250);
  const status = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(watch);
  if (status !== 0) throw new Error(`'${task}' ended with ${status}`);
  const preparedBytes = bytesIn(folder);
  rmSync(folder, { recursive: true });
  return { ...JSON.parse(text), diskBytes: mostBytes, preparedBytes, load: load() };
}

async function main([root = tmpdir(), ...counts]) {
  const sizes = [];
  for (const rows of counts.length > 0 ? counts.map(Number) : [1e6, 1e7, 1e8]) {
    const folder = mkdtempSync(join(root, 'polydomain-preparing-'));
    try {
      const source = join(folder, 'rows.csv');
      writeRaw(source, rows);
      const size = { rows, sourceBytes: statSync(source).size };
      for (const task of Object.keys(tasks)) size[task] = await measure(source, rows, task);
      sizes.push(size);
      console.log(size);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  const result = { ...circumstances(), sizes };
  writeResult('preparing', result.machine.simdLevel, result);
}

const [mode, source, rows, task] = process.argv.slice(2);
if (mode === '--measure') console.log(JSON.stringify(await prepare(source, Number(rows), task)));
else await main(process.argv.slice(2));
