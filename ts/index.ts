export { type CompareEvent, type CompareOptions, compare } from './compare/compare.js';
export type { CompareConfigInput } from './compare/config.js';
export type { Comparison, EntryResult, SeedResult, Trial } from './compare/result.js';
export { onlineRetail } from './data/bundled.js';
export type { EvictionOptions } from './data/continued.js';
export { Dataset, type PrepareOptions } from './data/dataset.js';
export type {
  DatasetOptions,
  FeatureOptions,
  FolderOptions,
  NegativeRule,
  Roles,
  SplitRule,
} from './data/options.js';
export type {
  CategoricalFeature,
  Feature,
  IdLists,
  MultiValuedFeature,
  NumericFeature,
  Schema,
  Split,
  SplitName,
} from './data/types.js';
export type { Vocabulary } from './data/vocabulary.js';
export * from './errors.js';
export { type LoadOptions, load } from './io/run-folder.js';
export * as metrics from './metrics/index.js';
export * as models from './models/index.js';
export * as nn from './nn/index.js';
export { type Batch, type BatchModule, Model, Module, Parameter } from './nn/index.js';
export * as optim from './optim/index.js';
export { type PredictOptions, Predictor } from './serve/predictor.js';
export type { Columns, RawValue, Row, Scorer } from './serve/scorer.js';
export type { TopK } from './serve/top-k.js';
export type { Command, EpochContext, StagedStrategy, Strategy } from './strategies/index.js';
export * as strategies from './strategies/index.js';
export { apply, manualSeed } from './tensor/apply.js';
export { random, valueAndGradients } from './tensor/gradients.js';
export * as ops from './tensor/ops.js';
export { type DType, scope, Tensor } from './tensor/tensor.js';
export { type ConflictOptions, gradientCosines } from './train/conflicts.js';
export { evaluate } from './train/evaluate.js';
export type { EpochRecord, FitEvent } from './train/events.js';
export { fit } from './train/fit.js';
export type { FitOptions } from './train/fit-options.js';
export { FitResult } from './train/fit-result.js';
export type { RunMetrics, StageMetrics } from './train/result.js';
