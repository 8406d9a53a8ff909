import { z } from 'zod';
import { count, positive } from '../options.js';

const warmup = z
  .int()
  .gte(0)
  .default(0)
  .describe('Steps in which the rate rises to its full height; the rule counts from their end');
const factor = z.number().gt(0).lte(1);

/**
 * How a learning rate goes with the steps of its optimizer, i from 0: rules of torch.optim.lr_scheduler,
 * one step each. A resetOptimizer command begins anew.
 */
export const schedule = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant'), warmup }),
  z.strictObject({
    kind: z.literal('exponential'),
    gamma: factor.describe('rate * gamma^floor(i / every)'),
    every: count.default(1).describe('Steps between two factors'),
    warmup,
  }),
  z.strictObject({
    kind: z.literal('step'),
    milestones: z
      .array(count)
      .min(1)
      .refine((steps) => steps.every((step, i) => i === 0 || step > (steps[i - 1] as number)), {
        message: 'expected ascending steps',
      })
      .describe('Steps from which on the rate is smaller by a factor more'),
    gamma: factor.default(0.1),
    warmup,
  }),
  z.strictObject({
    kind: z.literal('cosine'),
    steps: count.describe('From the full rate to the minimum, where it stays'),
    minimum: z.number().gte(0).default(0).describe('A rate'),
    warmup,
  }),
  z.strictObject({
    kind: z.literal('inverse'),
    gamma: positive.default(1e-3).describe('rate * (1 + gamma * i)^-power'),
    power: positive.default(0.75),
    warmup,
  }),
]);
export type Schedule = Readonly<z.output<typeof schedule>>;
