import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { onlineRetail } from '../data/bundled.js';
import { ConfigError } from '../errors.js';
import { makeFolder, writeJsonAtomic } from '../io/atomic.js';
import { mlp } from '../models/mlp.js';
import { adam } from '../optim/optimizers.js';
import { alternate, mamdr } from '../strategies/index.js';
import type { Strategy } from '../strategies/types.js';
import { fit } from '../train/fit.js';
import type { FitResult } from '../train/fit-result.js';
import { showProgress } from './progress.js';
import { report } from './report.js';
import { shown, table } from './table.js';

export interface DemoOptions {
  readonly epochs: number;
  readonly output?: string;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** The document of `demo --json`. */
export interface DemoReport {
  readonly output: string;
  /** The runs beside each other: a page for the browser. */
  readonly page: string;
  readonly runs: readonly {
    readonly strategy: string;
    /** Run folder, for evaluate and predict. */
    readonly folder: string;
    readonly testAuc: number | null;
    readonly byDomain: Readonly<Record<string, number | null>>;
    readonly bestEpoch: number;
    readonly seconds: number;
  }[];
  /** Training rows. */
  readonly rows: Readonly<Record<string, number>>;
}

/** Chosen by validation AUC: the defaults move too slowly for ten epochs. */
const rates = { outerRate: 0.5, regularizationRate: 0.02 };

const defaultOutput = 'polydomain-demo';

/** The first of polydomain-demo, polydomain-demo-2, ... that is free. */
function freeFolder(): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? defaultOutput : `${defaultOutput}-${number}`;
    if (!existsSync(name)) return name;
  }
}

/** MAMDR beside alternate training on the bundled data: what each country's AUC comes to. */
export async function demo(options: DemoOptions): Promise<DemoReport> {
  const { epochs, seed, signal, output = freeFolder() } = options;
  if (options.output !== undefined && existsSync(output)) {
    throw new ConfigError(`'${output}' exists; expected a new folder`);
  }
  process.stderr.write('Preparing the bundled data (online-retail: 17 countries)\n');
  const data = await onlineRetail({ seed });
  await makeFolder(output);
  const results: [Strategy, FitResult][] = [];
  for (const strategy of [alternate(), mamdr(rates)]) {
    results.push([strategy, await train(strategy)]);
  }
  const page = join(output, 'report.html');
  await report(
    results.map(([{ name }]) => join(output, name)),
    { output: page },
  );
  const document: DemoReport = {
    output,
    page,
    runs: results.map(([{ name }, { metrics, bestEpoch, seconds }]) => ({
      strategy: name,
      folder: join(output, name),
      testAuc: metrics.test.auc.mean,
      byDomain: metrics.test.auc.byDomain,
      bestEpoch,
      seconds,
    })),
    rows: results[0]?.[1].metrics.train.rows ?? {},
  };
  await writeJsonAtomic(join(output, 'demo.json'), document);
  return document;

  async function train(strategy: Strategy): Promise<FitResult> {
    const model = mlp({
      schema: data.schema,
      embeddingDim: 16,
      hidden: [64, 32],
      dropout: 0.2,
      seed,
    });
    const progress = showProgress(strategy.name);
    try {
      return await fit(model, data, {
        strategy,
        optimizer: adam({ learningRate: 2e-3 }),
        epochs,
        seed,
        signal,
        runFolder: join(output, strategy.name),
        onEvent: progress.onEvent,
      });
    } finally {
      progress.stop();
    }
  }
}

/** The report as a table for people. */
export function demoTable({ output, page, runs, rows }: DemoReport): string {
  return `${table([
    ['test AUC', 'rows', ...runs.map((run) => run.strategy)],
    ...Object.entries(rows).map(([domain, count]) => [
      domain,
      String(count),
      ...runs.map((run) => shown(run.byDomain[domain])),
    ]),
    ['mean', '', ...runs.map((run) => shown(run.testAuc))],
    ['seconds', '', ...runs.map((run) => run.seconds.toFixed(1))],
  ])}
Report: ${page}\nRun folder: ${output} (${runs.map((run) => run.folder).join(', ')})\n`;
}
