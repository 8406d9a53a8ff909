import { z } from 'zod';
import type { Model, ModelContext } from '../nn/model.js';
import { asModel, type BatchModule } from '../nn/module-model.js';
import { adasparse, adasparseOptions } from './adasparse.js';
import { autoint, autointOptions } from './autoint.js';
import { ccpm, ccpmOptions } from './ccpm.js';
import { deepfm, deepfmOptions } from './deepfm.js';
import { mlp, mlpOptions } from './mlp.js';
import { mmoe, mmoeOptions } from './mmoe.js';
import { moe, moeOptions } from './moe.js';
import { nfm, nfmOptions } from './nfm.js';
import { pepnet, pepnetOptions } from './pepnet.js';
import { ple, pleOptions } from './ple.js';
import { pnn, pnnOptions } from './pnn.js';
import { sharedBottom, sharedBottomOptions } from './shared-bottom.js';
import { star, starOptions } from './star.js';
import { wdl, wdlOptions } from './wdl.js';

/** A model in a config: its name beside its options. */
export const modelConfig = z.discriminatedUnion('name', [
  mlpOptions.extend({ name: z.literal('mlp') }),
  wdlOptions.extend({ name: z.literal('wdl') }),
  nfmOptions.extend({ name: z.literal('nfm') }),
  deepfmOptions.extend({ name: z.literal('deepfm') }),
  autointOptions.extend({ name: z.literal('autoint') }),
  ccpmOptions.extend({ name: z.literal('ccpm') }),
  pnnOptions.extend({ name: z.literal('pnn') }),
  sharedBottomOptions.extend({ name: z.literal('shared-bottom') }),
  moeOptions.extend({ name: z.literal('moe') }),
  mmoeOptions.extend({ name: z.literal('mmoe') }),
  pleOptions.extend({ name: z.literal('ple') }),
  pepnetOptions.extend({ name: z.literal('pepnet') }),
  starOptions.extend({ name: z.literal('star') }),
  adasparseOptions.extend({ name: z.literal('adasparse') }),
]);

/** Makes a model of stored or configured options. */
export type ModelMaker = (options: ModelContext & Readonly<Record<string, unknown>>) => BatchModule;

/** The library's models by name. */
export const modelMakers: Readonly<Record<string, ModelMaker>> = {
  mlp,
  wdl,
  nfm,
  deepfm,
  autoint,
  ccpm,
  pnn,
  'shared-bottom': sharedBottom,
  moe,
  mmoe,
  ple,
  pepnet,
  star,
  adasparse,
};

/** The model that a config describes. */
export function modelOf(
  { name, ...options }: z.output<typeof modelConfig>,
  context: ModelContext,
): Model {
  const made = (modelMakers[name] as ModelMaker)({ ...options, ...context });
  return asModel(made, context.schema, context.seed);
}
