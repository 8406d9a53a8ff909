export {
  alternate,
  dn,
  dr,
  mamdr,
  type NegotiationOptions,
  type RegularizationOptions,
  separate,
} from './strategies.js';
export type { Command, EpochContext, OverlayRule, Strategy } from './types.js';
