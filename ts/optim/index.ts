export { adagrad, adam, adamw, type Optimizer, sgd } from './optimizers.js';
