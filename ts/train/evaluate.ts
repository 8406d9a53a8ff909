import type { Dataset } from '../data/dataset.js';
import type { SplitName } from '../data/types.js';
import { type DomainMetrics, type SplitMetrics, summarize } from '../metrics/index.js';
import type { NativeCommand } from '../native/addon.js';
import { addon } from '../native/load.js';
import { asModel, type BatchModule } from '../nn/model.js';
import { Executor } from './executor.js';

/** Indices of the splits in a session. */
export const splitIndex: Readonly<Record<SplitName, number>> = { train: 0, validation: 1, test: 2 };

/** Scores a session's split, each domain with its own values where it has any. */
export async function evaluateSplit(
  executor: Executor,
  domains: readonly string[],
  split: SplitName,
): Promise<SplitMetrics> {
  const scores: DomainMetrics[] = [];
  const commands = domains.map(
    (_, domain): NativeCommand => ({
      kind: 'evaluate',
      split: splitIndex[split],
      domain,
      overlay: domain,
    }),
  );
  await executor.run(commands, {
    unstoppable: true,
    onResult(_, { auc, loss, rows }) {
      scores.push({ auc: Number.isNaN(auc) ? null : auc, loss, rows });
    },
  });
  return summarize(domains, scores);
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
  const model = asModel(module, data.schema);
  model.requireSchema(data.schema);
  const { graph, output, loss, space } = model.compile();
  const session = new (addon().Session)(space, { batchSize: 1, seed: 0 });
  try {
    for (const name of Object.keys(splitIndex) as SplitName[]) session.addSplit(data.split(name));
    session.setEvaluationProgram(graph, output, loss);
    return await evaluateSplit(new Executor(session), data.schema.domains, split);
  } finally {
    session.dispose();
  }
}
