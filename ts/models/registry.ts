import { z } from 'zod';
import { asModel, type BatchModule, type Model, type ModelContext } from '../nn/model.js';
import { mlp, mlpOptions } from './mlp.js';

/** A model in a config: its name beside its options. */
export const modelConfig = z.discriminatedUnion('name', [
  mlpOptions.extend({ name: z.literal('mlp') }),
]);

/** Makes a model of stored or configured options. */
export type ModelMaker = (options: ModelContext & Readonly<Record<string, unknown>>) => BatchModule;

/** The library's models by name. */
export const modelMakers: Readonly<Record<string, ModelMaker>> = { mlp };

/** The model that a config describes. */
export function modelOf(
  { name, ...options }: z.output<typeof modelConfig>,
  context: ModelContext,
): Model {
  const made = (modelMakers[name] as ModelMaker)({ ...options, ...context });
  return asModel(made, context.schema, context.seed);
}
