export { addLoss } from './add-loss.js';
export { BankLinear } from './bank.js';
export type { Batch } from './batch.js';
export { Dropout, Embedding, Linear, Relu, Sequential } from './layers.js';
export { Model, type ModelContext } from './model.js';
export { Module, Parameter, type ParameterOptions } from './module.js';
export type { BatchModule } from './module-model.js';
export {
  BankBatchNorm,
  BatchNorm1d,
  type BatchNormOptions,
  PartitionedNorm,
} from './norm.js';
