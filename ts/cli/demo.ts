import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { onlineRetail } from '../data/bundled.js';
import { writeFileAtomic } from '../io/atomic.js';
import { mlp } from '../models/mlp.js';
import { adam } from '../optim/index.js';
import { alternate, mamdr } from '../strategies/index.js';
import type { Strategy } from '../strategies/types.js';
import { type FitResult, fit } from '../train/fit.js';

export interface DemoOptions {
  readonly epochs: number;
  readonly output: string;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** MAMDR beside alternate training on the bundled data: what each country's AUC comes to. */
export async function demo({ epochs, output, seed, signal }: DemoOptions) {
  process.stderr.write('Preparing the bundled data (online-retail: 17 countries)\n');
  const data = await onlineRetail({ seed });
  const results: Record<string, FitResult> = {};
  for (const strategy of [alternate(), mamdr()]) {
    results[strategy.name] = await train(strategy);
  }
  await mkdir(output, { recursive: true });
  const summary = {
    output,
    domains: data.schema.domains.map((domain, d) => ({
      domain,
      rows: (data.train.domainOffsets[d + 1] as number) - (data.train.domainOffsets[d] as number),
      ...Object.fromEntries(
        Object.entries(results).map(([name, { metrics }]) => [
          name,
          metrics.test.auc.byDomain[domain] ?? null,
        ]),
      ),
    })),
    runs: Object.entries(results).map(([name, { metrics, seconds, history, bestEpoch }]) => ({
      strategy: name,
      testAuc: metrics.test.auc.mean,
      seconds,
      bestEpoch,
      history,
    })),
  };
  await writeFileAtomic(join(output, 'metrics.json'), `${JSON.stringify(summary, null, 2)}\n`);
  return summary;

  async function train(strategy: Strategy): Promise<FitResult> {
    const model = mlp({
      schema: data.schema,
      embeddingDim: 16,
      hidden: [64, 32],
      dropout: 0.2,
      seed,
    });
    const bar = new SingleBar({
      format: `${strategy.name.padEnd(10)} {bar} {percentage}% epoch {epoch}/${epochs} validation AUC {auc}`,
      stream: process.stderr,
      hideCursor: true,
    });
    bar.start(epochs, 0, { epoch: 1, auc: '-' });
    try {
      return await fit(model, data, {
        strategy,
        optimizer: adam({ learningRate: 2e-3 }),
        batchSize: 1024,
        epochs,
        patience: 3,
        seed,
        signal,
        onEvent(event) {
          if (event.kind === 'progress') {
            bar.update(event.epoch + event.done / event.total, { epoch: event.epoch + 1 });
          } else if (event.kind === 'epoch') {
            bar.update(event.epoch + 1, { auc: event.validation.auc.mean?.toFixed(4) ?? '-' });
          }
        },
      });
    } finally {
      bar.stop();
    }
  }
}

/** The demo's result as a table for people. */
export function demoTable(summary: Awaited<ReturnType<typeof demo>>): string {
  const names = summary.runs.map((run) => run.strategy);
  const line = (first: string, rows: string, values: readonly string[]): string =>
    `${first.padEnd(18)}${rows.padStart(10)}${values.map((value) => value.padStart(12)).join('')}\n`;
  const shown = (value: unknown): string => (typeof value === 'number' ? value.toFixed(4) : '-');
  let table = line('test AUC', 'rows', names);
  for (const domain of summary.domains) {
    const scores = domain as unknown as Readonly<Record<string, unknown>>;
    table += line(
      domain.domain,
      String(domain.rows),
      names.map((name) => shown(scores[name])),
    );
  }
  table += line(
    'mean',
    '',
    summary.runs.map((run) => shown(run.testAuc)),
  );
  table += line(
    'seconds',
    '',
    summary.runs.map((run) => run.seconds.toFixed(1)),
  );
  return `${table}\nRun folder: ${summary.output}\n`;
}
