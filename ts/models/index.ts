export { Mlp, type MlpOptions, mlp } from './mlp.js';
