import { tmpdir } from 'node:os';
import { z } from 'zod';
import { type Dataset, requireDataset } from '../data/dataset.js';
import { type SplitName, splitNames } from '../data/types.js';
import { type DomainMetrics, type SplitMetrics, summarize } from '../metrics/index.js';
import type { NativeCommand, NativeSession } from '../native/addon.js';
import { addon } from '../native/load.js';
import { asModel, type BatchModule } from '../nn/module-model.js';
import { parse } from '../options.js';
import { CommandQueue } from './command-queue.js';
import { Executor } from './executor.js';

/** Indices of the splits in a session. */
export const splitIndex: Readonly<Record<SplitName, number>> = { train: 0, validation: 1, test: 2 };

/**
 * Scores a session's split, each domain with its own values where it has any; `tuned` says what more the
 * command of a domain says. Undefined when the executor's signal aborted it.
 */
export async function evaluateSplit(
  executor: Executor,
  domains: readonly string[],
  split: SplitName,
  tuned: (domain: number) => Partial<NativeCommand> = () => ({}),
): Promise<SplitMetrics | undefined> {
  const scores: DomainMetrics[] = [];
  function* commands(): Generator<NativeCommand> {
    for (const domain of domains.keys()) {
      const evaluate = { kind: 'evaluate', split: splitIndex[split], domain, overlay: domain };
      yield { ...evaluate, ...tuned(domain) } as NativeCommand;
    }
  }
  const { end } = await executor.run(new CommandQueue(commands()), {
    onResult(_, { auc, loss, rows }) {
      scores.push({ auc: Number.isNaN(auc) ? null : auc, loss, rows });
    },
  });
  return end === 'aborted' ? undefined : summarize(domains, scores);
}

/** Runs `body` with a session over the data's splits that only scores. Throws ConfigError, BusyError. */
async function withScoring<Result>(
  module: BatchModule,
  data: Dataset,
  body: (session: NativeSession) => Promise<Result>,
): Promise<Result> {
  requireDataset(data);
  const model = asModel(module, data.schema);
  model.requireSchema(data.schema);
  const compiled = model.compile();
  const { graph, output, space } = compiled;
  const { loss } = data.weighted ? compiled.weighted : compiled;
  const options = { batchSize: 1, seed: 0, spillFolder: tmpdir() };
  const session = new (addon().Session)(space, options);
  try {
    for (const name of Object.keys(splitIndex) as SplitName[]) session.addSplit(data.split(name));
    session.setEvaluationProgram(graph, output, loss);
    return await body(session);
  } finally {
    session.dispose();
  }
}

/**
 * AUC and loss of a model on one split, by domain. The data must have the model's schema (see
 * Dataset.as). Throws ConfigError, BusyError.
 */
export async function evaluate(
  module: BatchModule,
  data: Dataset,
  split: SplitName = 'test',
): Promise<SplitMetrics> {
  parse(z.enum(splitNames), split, 'split');
  return withScoring(module, data, async (session) => {
    const executor = new Executor(session);
    // Nothing aborts it.
    return (await evaluateSplit(executor, data.schema.domains, split)) as SplitMetrics;
  });
}

/** Probabilities [rows] of one split in the order of its rows. Throws ConfigError, BusyError. */
export async function scoresOf(
  module: BatchModule,
  data: Dataset,
  split: SplitName,
): Promise<Float32Array> {
  return withScoring(module, data, async (session) => {
    const { rows, domainOffsets } = data.split(split);
    const scores = new Float32Array(rows);
    for (const domain of data.schema.domains.keys()) {
      scores.set(await session.scores(splitIndex[split], domain, domain), domainOffsets[domain]);
    }
    return scores;
  });
}
