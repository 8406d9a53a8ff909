#!/usr/bin/env node
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CheckpointError, ConfigError, DataError } from '../errors.js';
import { demo, demoTable } from './demo.js';
import { doctor } from './doctor.js';

/** Exit codes: 0 done, 1 anything else, 2 usage or config, 3 data or run folder, 130 interrupted. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ConfigError) return 2;
  if (error instanceof DataError || error instanceof CheckpointError) return 3;
  return 1;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('expected an integer of 1 at least');
}

const interruption = new AbortController();
process.on('SIGINT', () => {
  if (interruption.signal.aborted) process.exit(130);
  interruption.abort(new Error('interrupted'));
});

const program = new Command('polydomain')
  .description('Multi-domain learning on Node.js')
  .exitOverride();

program
  .command('demo')
  .description('MAMDR beside alternate training on the bundled data')
  .option('--epochs <n>', 'epochs at most', positiveInteger, 10)
  .option('--seed <n>', 'seed of data and training', positiveInteger, 1)
  .option('-o, --output <folder>', 'run folder', 'polydomain-demo')
  .option('--json', 'print one JSON document')
  .action(async (options: { epochs: number; seed: number; output: string; json?: boolean }) => {
    const summary = await demo({ ...options, signal: interruption.signal });
    process.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : demoTable(summary));
  });

program
  .command('doctor')
  .description('Version, SIMD level, threads and GPU of this installation')
  .option('--json', 'print one JSON document')
  .action((options: { json?: boolean }) => {
    const report = doctor();
    process.stdout.write(
      options.json
        ? `${JSON.stringify(report)}\n`
        : Object.entries(report)
            .map(([key, value]) => `${key.padEnd(14)}${value}\n`)
            .join(''),
    );
  });

try {
  await program.parseAsync();
} catch (error) {
  if (interruption.signal.aborted) process.exit(130);
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`${(error as Error).name}: ${(error as Error).message}\n`);
  }
  process.exitCode = exitCodeOf(error);
}
