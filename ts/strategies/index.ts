export { alternate } from './alternate.js';
export { dn } from './dn.js';
export { dr } from './dr.js';
export type { FinetuneOptions } from './finetune.js';
export { mamdr } from './mamdr.js';
export { separate } from './separate.js';
export type { Command, EpochContext, OverlayRule, Strategy } from './types.js';
