// Times marks and gradient buffers beside plain loops over the same memory (native/bench/space_bench.cpp):
// the least of some rounds, each benchmark in a process of its own. README.md says how it is built.
// node benchmarks/space.mjs [--rounds 5] [--threads 2]
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { rounded } from '../dist/esm/benchmark/statistics.js';
import { circumstances } from './circumstances.mjs';
import { root, writeResult } from './machine.mjs';

/** What each is beside: to be read and written are the same bytes. */
const plainLoops = {
  Snapshot: 'MemoryCopy',
  Restore: 'MemoryCopy',
  Lerp: 'MemoryLerp',
  Axpy: 'MemoryLerp',
};
/** By columns of the rows; 0: a dense slab. */
const memories = { 0: 'slab of 64 MiB', 16: '100,000 rows of 16', 128: '100,000 rows of 128' };

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
  },
});
const threads = Number(values.threads);
const binary = `${root}build/benchmarks/polydomain_benchmarks`;

/** Milliseconds of an iteration, and the rate in GB/s that the bytes make of it. */
function run(name, dim) {
  const filter = `^${name}/dim:${dim}/threads:${threads}/`;
  const args = [`--benchmark_filter=${filter}`, '--benchmark_format=json'];
  const [one] = JSON.parse(
    execFileSync(binary, [...args, '--benchmark_min_time=0.1'], {
      encoding: 'utf8',
      stdio: 'pipe',
    }),
  ).benchmarks;
  return { milliseconds: one.real_time, gigabytesPerSecond: one.bytes_per_second / 1e9 };
}

const names = [...new Set([...Object.values(plainLoops), ...Object.keys(plainLoops)])];
const all = names.flatMap((name) => Object.keys(memories).map((dim) => [name, dim]));
const least = new Map();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, dim] of all) {
    const key = `${name} ${dim}`;
    const one = run(name, dim);
    if (!(least.get(key)?.milliseconds <= one.milliseconds)) least.set(key, one);
  }
}

const rows = [];
for (const [dim, memory] of Object.entries(memories)) {
  for (const [name, plain] of Object.entries(plainLoops)) {
    const [ours, loop] = [name, plain].map((one) => least.get(`${one} ${dim}`));
    rows.push({
      memory,
      operation: name.toLowerCase(),
      milliseconds: rounded(ours.milliseconds),
      plainLoop: rounded(loop.milliseconds),
      share: rounded(loop.milliseconds / ours.milliseconds),
      gigabytesPerSecond: rounded(ours.gigabytesPerSecond),
    });
  }
}
console.table(rows);
const about = circumstances();
console.log(
  writeResult('space', about.machine.simdLevel, {
    ...about,
    threads,
    rounds: Number(values.rounds),
    rows,
  }),
);
