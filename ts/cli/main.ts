#!/usr/bin/env node
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { splitNames } from '../data/types.js';
import { CheckpointError, ConfigError, DataError } from '../errors.js';
import { addon, libraryVersion } from '../native/load.js';
import { type BenchmarkCommandOptions, benchmarkTable, runBenchmark } from './benchmark.js';
import { type CompareOptions, compareConfigFile, compareTable } from './compare.js';
import { readConfig } from './config.js';
import { type DemoOptions, demo, demoTable } from './demo.js';
import { doctor } from './doctor.js';
import { type EvaluateOptions, evaluateRun } from './evaluate.js';
import { type PredictFileOptions, predictFile } from './predict.js';
import { prepareFolder, prepareTable } from './prepare.js';
import { report } from './report.js';
import { metricsTable, train, trainTable } from './train.js';

/** Exit codes: 0 done, 1 anything else, 2 usage or config, 3 data or run folder, 130 interrupted. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ConfigError) return 2;
  if (error instanceof DataError || error instanceof CheckpointError) return 3;
  return 1;
}

function integerFrom(lowest: number, highest?: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const most = highest ?? Number.MAX_SAFE_INTEGER;
    if (/^\d+$/.test(text) && value >= lowest && value <= most) return value;
    throw new InvalidArgumentError(
      highest === undefined
        ? `expected an integer of ${lowest} at least`
        : `expected an integer from ${lowest} to ${highest}`,
    );
  };
}

function namesFrom(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => name !== '')) return names;
  throw new InvalidArgumentError('expected names with commas between them');
}

/** Set by commands that have something to save, or processes to end, before they end. */
let saves = false;
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!saves || interruption.signal.aborted) addon().exitNow(130);
    interruption.abort(new Error(`interrupted by ${signal}`));
  });
}

// Whoever reads our output may have seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`${error.name}: standard output could not be written: ${error.message}\n`);
  process.exit(1);
});

interface JsonOption {
  readonly json?: boolean;
}

/** With --json the one document on stdout, else what people read. */
function print<Report>({ json }: JsonOption, report: Report, show: (report: Report) => string) {
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : show(report));
}

const program = new Command('polydomain')
  .description('Multi-domain learning on Node.js')
  .version(libraryVersion())
  .exitOverride();
const json = ['--json', 'print one JSON document'] as const;
const overlayBudget = new Option(
  '--overlay-budget <bytes>',
  "domains' own values in memory; the rest in a temporary file (default: all in memory)",
).argParser(integerFrom(0));
const set = new Option('--set <key.path=value...>', 'changes of the config');

program
  .command('demo')
  .description('MAMDR beside alternate training on the bundled data')
  .option('--epochs <n>', 'epochs at most', integerFrom(1), 10)
  .option('--seed <n>', 'seed of data and training', integerFrom(0), 1)
  .option('-o, --output <folder>', 'new folder (default: polydomain-demo)')
  .option(...json)
  .action(async (options: Omit<DemoOptions, 'signal'> & JsonOption) => {
    saves = true;
    print(options, await demo({ ...options, signal: interruption.signal }), demoTable);
  });

program
  .command('prepare')
  .description('turn the raw data of a config into a dataset folder')
  .argument('<config>', 'config in JSON')
  .requiredOption('-o, --output <folder>', 'new dataset folder')
  .addOption(set)
  .option(...json)
  .action(async (path: string, options: { output: string; set?: string[] } & JsonOption) => {
    const { config } = await readConfig(path, options);
    print(options, await prepareFolder(config, options.output), prepareTable);
  });

program
  .command('train')
  .description('train what a config says')
  .argument('<config>', 'config in JSON')
  .requiredOption('-o, --output <folder>', 'run folder, new but for --resume')
  .option('--resume', "go on from the run folder's checkpoint, if it has one")
  .option('--profile <file>', 'write where the time goes, for Perfetto (ui.perfetto.dev)')
  .option('--seed <n>', "in place of the config's", integerFrom(0))
  .addOption(set)
  .option(...json)
  .action(
    async (
      path: string,
      options: {
        output: string;
        resume?: boolean;
        profile?: string;
        seed?: number;
        set?: string[];
      } & JsonOption,
    ) => {
      const { config, mamdr } = await readConfig(path, options);
      saves = true;
      const report = await train(config, { ...options, mamdr, signal: interruption.signal });
      print(options, report, trainTable);
    },
  );

program
  .command('compare')
  .description('train models and strategies with several seeds on one dataset')
  .argument('<config>', 'config in JSON, with a section "compare" or the options below')
  .requiredOption('-o, --output <folder>', 'new folder, but for --resume')
  .option('--models <names>', 'models to cross with the strategies, such as mlp,ple', namesFrom)
  .option('--strategies <names>', 'strategies, such as alternate,mamdr', namesFrom)
  .option('--seeds <n>', "in place of the config's", integerFrom(1))
  .option('--resume', 'leave out runs that the folder holds already')
  .addOption(set)
  .option(...json)
  .action(async (path: string, options: Omit<CompareOptions, 'signal'> & JsonOption) => {
    saves = true;
    const report = await compareConfigFile(path, { ...options, signal: interruption.signal });
    if (report.entries.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
    print(options, report, compareTable);
  });

program
  .command('evaluate')
  .description('AUC and loss of a run, by domain')
  .argument('<run>', 'run folder')
  .option('--data <folder>', "a dataset folder in place of the run's data")
  .addOption(
    new Option(
      '--data-budget <bytes>',
      'rows of that folder in memory; of more a window at a time (default: all in memory)',
    ).argParser(integerFrom(0)),
  )
  .addOption(new Option('--split <part>', 'part of the data').choices(splitNames).default('test'))
  .addOption(overlayBudget)
  .option(...json)
  .action(async (run: string, options: EvaluateOptions & JsonOption) => {
    print(options, await evaluateRun(run, options), metricsTable);
  });

program
  .command('predict')
  .description('score rows of any domain')
  .argument('<run>', 'run folder')
  .requiredOption('--input <file>', 'CSV, Parquet or JSON Lines; - for stdin')
  .requiredOption('--output <file>', 'CSV; - for stdout')
  .addOption(
    new Option('--unknown-domain <how>', 'rows of domains that training has not seen')
      .choices(['error', 'shared'])
      .default('error'),
  )
  .addOption(overlayBudget)
  .option(...json)
  .action(async (run: string, options: Omit<PredictFileOptions, 'signal'> & JsonOption) => {
    if (options.json && options.output === '-') {
      throw new ConfigError(
        '--json with --output -; expected one document on stdout, or the other',
      );
    }
    const report = await predictFile(run, { ...options, signal: interruption.signal });
    if (options.output === '-') return;
    print(options, report, ({ output, rows }) => `${rows} scores in ${output}\n`);
  });

program
  .command('report')
  .description('a page for the browser about runs, or about a comparison')
  .argument('<folders...>', 'run folders, or the folder of a comparison')
  .requiredOption('-o, --output <file>', 'HTML, in one file')
  .option(...json)
  .action(async (folders: string[], options: { output: string } & JsonOption) => {
    print(options, await report(folders, options), ({ output }) => `Report: ${output}\n`);
  });

program
  .command('benchmark')
  .description('time polydomain beside other libraries that are installed')
  .option('--shapes <names>', 'paper, small, overhead (default: paper,small)', namesFrom)
  .option('--peers <names>', 'beside polydomain (default: all that are installed)', namesFrom)
  .option('--no-peers', 'polydomain alone')
  .option(
    '--threads <n>',
    'of each library (default: those that doctor shows)',
    integerFrom(1, 256),
  )
  .option('--rounds <n>', 'of which the median counts', integerFrom(1), 7)
  .option(
    '--patience <seconds>',
    'to wait, all in all, for other programs, and to repeat what they disturbed',
    integerFrom(0),
    120,
  )
  .option('-o, --output <file>', 'also write the JSON document there')
  .option(...json)
  .action(async (options: Omit<BenchmarkCommandOptions, 'signal'> & JsonOption) => {
    saves = true;
    const result = await runBenchmark({ ...options, signal: interruption.signal });
    print(options, result, benchmarkTable);
  });

program
  .command('doctor')
  .description('version, SIMD level, threads and GPU of this installation')
  .option(...json)
  .action((options: JsonOption) => {
    const report = doctor();
    if (report.addon !== 'loaded') process.exitCode = 1;
    print(options, report, (entries) =>
      Object.entries(entries)
        .map(([key, value]) => `${key.padEnd(14)}${value}\n`)
        .join(''),
    );
  });

try {
  await program.parseAsync();
} catch (error) {
  const { aborted, reason } = interruption.signal;
  const interrupted = aborted && (error === reason || (error as Error).name === 'AbortError');
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`${(error as Error).name}: ${(error as Error).message}\n`);
  }
  process.exitCode = interrupted ? 130 : exitCodeOf(error);
}
