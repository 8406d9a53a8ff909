// How a peer in JavaScript talks with the benchmark (ts/benchmark/peer.ts): one JSON command per line on
// stdin, one JSON answer per line on stdout, with the CPU time that it took and the process's peak memory.
import { createInterface } from 'node:readline';
import { peakBytes } from './memory.mjs';

async function answer(commands, line) {
  const { command, ...options } = JSON.parse(line);
  if (command === 'quit') process.exit(0);
  const before = process.cpuUsage();
  try {
    const result = await commands[command](options);
    const { user, system } = process.cpuUsage(before);
    return { ...result, cpuSeconds: (user + system) / 1e6, peakRssBytes: peakBytes() };
  } catch (error) {
    return { error: error.stack };
  }
}

/** Answers until 'quit'. `commands`: a function of the options, by name. */
export async function answerAll(commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(commands, line))}\n`);
  }
}
