import type { Dataset } from '../data/dataset.js';
import { hasIds } from '../data/features.js';
import { ConfigError } from '../errors.js';
import { selects } from '../glob.js';
import type { NativeParameterSpec } from '../native/addon.js';
import { bytesOf, memoryLimit } from '../nn/memory.js';
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

/** Bytes of a parameter that training can change: of a table no more rows than there are ids in the data. */
function touchedBytes(spec: NativeParameterSpec, data: Dataset): number {
  if (spec.kind === 'dense') return bytesOf(spec);
  const ids = data.schema.features
    .filter(hasIds)
    .reduce((sum, feature) => sum + (feature.kind === 'multi-valued' ? feature.width : 1), 0);
  const rows = data.train.rows * Math.max(1, ids);
  return Math.min(bytesOf(spec), 4 * rows * (spec.shape[1] as number));
}

function sharedSize(model: Model, data: Dataset, optimizers: readonly Optimizer[]) {
  const states = optimizers.reduce((sum, optimizer) => sum + statesOf(optimizer), 0);
  let [parameters, trained, touched, rows] = [0, 0, 0, 0];
  for (const parameter of model.collect().values()) {
    const spec = parameter.spec();
    parameters += bytesOf(spec);
    if (spec.trainable) {
      trained += bytesOf(spec);
      touched += touchedBytes(spec, data);
    }
    if (spec.kind === 'table' && !spec.bank) rows += spec.shape[0] as number;
  }
  // Where dense steps are caught up, four bytes tell the step that a row has come to.
  const places =
    optimizers.filter((one) => 'rows' in one && one.rows === 'dense').length * 4 * rows;
  // The system gives memory in pages: a few thousand rows all over a table bring all of its state with them.
  return { parameters, states: states * trained + places, best: touched };
}

/**
 * Throws ConfigError when a model's parameters and the state of the optimizers that train it are larger than
 * memory, before anything is allocated.
 */
export function requireTrainingMemory(
  model: Model,
  data: Dataset,
  optimizers: readonly Optimizer[],
  limit = memoryLimit(),
): void {
  const { parameters, states } = sharedSize(model, data, optimizers);
  if (parameters + states <= limit) return;
  const names = optimizers.map(({ name }) => name).join(', ');
  throw new ConfigError(
    `training needs ${parameters + states} bytes: the parameters ${parameters}, the state of ${names} up to ${states}; expected ${limit} at most, the memory there is`,
  );
}

/** Floats of a unit of dense parameters, as native code keeps them. */
const denseBlock = 128;

/** What units of so many floats take with their index, which is up to a quarter larger than needed. */
function heldBytes(units: number, floats: number): number {
  return units * (1.25 * (4 * floats + 4) + 16);
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
  optimizers: readonly Optimizer[],
  overlays: OverlayRule | undefined,
  { helpers = 5 }: { readonly helpers?: number },
  overlayBudget = Number.POSITIVE_INFINITY,
): ExpectedSize {
  const domains = data.schema.domains.length;
  const { parameters, states, best } = sharedSize(model, data, optimizers);
  let own = 0;
  for (const [name, parameter] of overlays ? model.collect() : []) {
    const spec = parameter.spec();
    if (!spec.trainable || !selects(overlays?.specific ?? [], name)) continue;
    if (spec.kind === 'dense') {
      own += domains * heldBytes(Math.ceil(bytesOf(spec) / (4 * denseBlock)), denseBlock);
      continue;
    }
    const [tableRows, width] = spec.shape as readonly [number, number];
    // Own rows and those of the helpers, but no more than the table has.
    const rows = Math.min((1 + helpers) * data.train.rows, domains * tableRows);
    own += heldBytes(rows, width);
  }
  const specific = Math.ceil(2 * own);
  return {
    expectedBytes: parameters + states + best + Math.min(specific, overlayBudget),
    expectedFileBytes: overlayBudget === Number.POSITIVE_INFINITY ? 0 : specific,
  };
}
