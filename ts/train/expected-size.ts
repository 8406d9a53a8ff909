import type { Dataset } from '../data/dataset.js';
import { selects } from '../glob.js';
import type { Model } from '../nn/model.js';
import type { Optimizer } from '../optim/optimizers.js';
import type { OverlayRule } from '../strategies/types.js';

function statesOf(optimizer: Optimizer): number {
  switch (optimizer.name) {
    case 'sgd':
      return optimizer.momentum > 0 ? 1 : 0;
    case 'adagrad':
      return 1;
    default:
      return 2;
  }
}

export interface ExpectedSize {
  /** Of memory: parameters, optimizer state, the best state kept beside them, domains' own values. */
  readonly expectedBytes: number;
  /** Of the file of domains' own values; 0 where all of them stay in memory. */
  readonly expectedFileBytes: number;
}

/**
 * Bytes that training holds at its most. Domains have own values, and a best state of them, of
 * everything dense and of every row that they train on.
 */
export function expectedSize(
  model: Model,
  data: Dataset,
  optimizer: Optimizer,
  overlays: OverlayRule | undefined,
  { helpers = 5 }: { readonly helpers?: number },
  overlayBudget = Number.POSITIVE_INFINITY,
): ExpectedSize {
  const domains = data.schema.domains.length;
  let shared = 0;
  let own = 0;
  for (const parameter of model.collect().values()) {
    const { name, kind, shape, trainable } = parameter.spec();
    const bytes = 4 * shape.reduce((product, size) => product * size, 1);
    shared += bytes * (2 + statesOf(optimizer));
    if (!trainable || !overlays || !selects(overlays.specific, name)) continue;
    // Own rows and those of the helpers, but no more than the table has.
    const rows = (1 + helpers) * data.train.rows * 4 * (shape[1] ?? 1);
    own += kind === 'table' ? Math.min(rows, domains * bytes) : domains * bytes;
  }
  const specific = overlays ? 2 * own : 0;
  return {
    expectedBytes: shared + Math.min(specific, overlayBudget),
    expectedFileBytes: overlayBudget === Number.POSITIVE_INFINITY ? 0 : specific,
  };
}
