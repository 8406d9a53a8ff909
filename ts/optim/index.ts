export { adagrad, adam, adamw, type Optimizer, sgd } from './optimizers.js';
export type { Schedule } from './schedule.js';
