export { onlineRetail } from './data/bundled.js';
export { Dataset, type DatasetOptions, type NegativeRule, type SplitRule } from './data/dataset.js';
export type { Feature, Schema, Split, SplitName } from './data/types.js';
export * from './errors.js';
export * as metrics from './metrics/index.js';
export * as models from './models/index.js';
export * as nn from './nn/index.js';
export { type Batch, Model, Module, Parameter } from './nn/index.js';
export * as optim from './optim/index.js';
export { type Row, Scorer } from './serve/scorer.js';
export type { Command, EpochContext, Strategy } from './strategies/index.js';
export * as strategies from './strategies/index.js';
export { apply, manualSeed } from './tensor/apply.js';
export { random, valueAndGradients } from './tensor/gradients.js';
export * as ops from './tensor/ops.js';
export { type DType, scope, Tensor } from './tensor/tensor.js';
export {
  type EpochRecord,
  type FitEvent,
  type FitOptions,
  type FitResult,
  fit,
} from './train/fit.js';
