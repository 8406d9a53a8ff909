import { z } from 'zod';
import { alternate, alternateOptions } from './alternate.js';
import { dTrain, dTrainShape, hasPhase } from './d-train.js';
import { dn, dnOptions } from './dn.js';
import { dr, drOptions } from './dr.js';
import { joint, jointOptions } from './joint.js';
import { mamdr, mamdrOptions } from './mamdr.js';
import { maml, mamlOptions } from './maml.js';
import { mldg, mldgOptions } from './mldg.js';
import { pcgrad, pcgradOptions } from './pcgrad.js';
import { reptile, reptileOptions } from './reptile.js';
import { separate, separateOptions } from './separate.js';
import type { StagedStrategy, Strategy } from './types.js';
import { weightedLoss, weightedLossOptions } from './weighted-loss.js';

/** A strategy in a config: its name beside its options. */
export const strategyConfig = z.discriminatedUnion('name', [
  alternateOptions.extend({ name: z.literal('alternate') }),
  jointOptions.extend({ name: z.literal('joint') }),
  separateOptions.extend({ name: z.literal('separate') }),
  weightedLossOptions.extend({ name: z.literal('weighted-loss') }),
  pcgradOptions.extend({ name: z.literal('pcgrad') }),
  mamlOptions.extend({ name: z.literal('maml') }),
  reptileOptions.extend({ name: z.literal('reptile') }),
  mldgOptions.extend({ name: z.literal('mldg') }),
  dnOptions.extend({ name: z.literal('dn') }),
  drOptions.extend({ name: z.literal('dr') }),
  mamdrOptions.extend({ name: z.literal('mamdr') }),
  dTrainShape.extend({ name: z.literal('d-train') }).refine(...hasPhase),
]);

const makers = {
  alternate,
  joint,
  separate,
  'weighted-loss': weightedLoss,
  pcgrad,
  maml,
  reptile,
  mldg,
  dn,
  dr,
  mamdr,
  'd-train': dTrain,
};

/** The strategy that a config describes. */
export function strategyOf({
  name,
  ...options
}: z.output<typeof strategyConfig>): Strategy | StagedStrategy {
  return (makers[name] as (options: object) => Strategy | StagedStrategy)(options);
}
