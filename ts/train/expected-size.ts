import type { Dataset } from '../data/dataset.js';
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

/**
 * Bytes that training holds at its most: parameters, optimizer state, the best state kept beside
 * them, and the domains' own values of everything dense and of every row they train on.
 */
export function expectedBytes(
  model: Model,
  data: Dataset,
  optimizer: Optimizer,
  overlays: OverlayRule | undefined,
): number {
  const domains = data.schema.domains.length;
  let shared = 0;
  let own = 0;
  for (const { kind, shape } of [...model.collect().values()].map((one) => one.spec())) {
    const bytes = 4 * shape.reduce((product, size) => product * size, 1);
    shared += bytes * (2 + statesOf(optimizer));
    // Own rows and those of five helpers, but no more than the table has.
    const rows = 6 * data.train.rows * 4 * (shape[1] ?? 1);
    own += kind === 'table' ? Math.min(rows, domains * bytes) : domains * bytes;
  }
  return shared + (overlays ? 2 * own : 0);
}
