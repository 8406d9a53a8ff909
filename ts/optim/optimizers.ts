import { z } from 'zod';
import type { NativeOptimizerSpec } from '../native/addon.js';
import { parse, positive } from '../options.js';
import { schedule } from './schedule.js';

const share = z.number().gte(0).lt(1);
const notNegative = z.number().gte(0);
const scheduled = {
  schedule: schedule.optional().describe('Of the learning rate; constant by default'),
};

const sgdOptions = z.strictObject({
  learningRate: positive.default(1e-3),
  momentum: share.default(0),
  nesterov: z.boolean().default(false),
  weightDecay: notNegative.default(0),
  ...scheduled,
});
const nesterovHasMomentum = [
  (options: { readonly nesterov: boolean; readonly momentum: number }) =>
    !options.nesterov || options.momentum > 0,
  { path: ['nesterov'] as PropertyKey[], message: 'expected a momentum above 0 with it' },
] as const;
const adagradOptions = z.strictObject({
  learningRate: positive.default(1e-2),
  epsilon: positive.default(1e-10),
  initialAccumulator: notNegative.default(0),
  weightDecay: notNegative.default(0),
  ...scheduled,
});
const adamShape = z.strictObject({
  learningRate: positive.default(1e-3),
  beta1: share.default(0.9),
  beta2: share.default(0.999),
  epsilon: positive.default(1e-8),
  epsilonForm: z
    .enum(['torch', 'tf1'])
    .default('torch')
    .describe('Where epsilon stands: beside the corrected root (torch) or the raw one (tf1)'),
  rows: z
    .enum(['lazy', 'dense'])
    .default('lazy')
    .describe(
      "Steps of a table's rows: those whose batches read it, as in PyTorch's SparseAdam, or all of them, as in its Adam: momentum moves a row on",
    ),
  weightDecay: notNegative.default(0),
  ...scheduled,
});
const adamwShape = adamShape.extend({ weightDecay: notNegative.default(1e-2) });

type AdamSettings = z.output<typeof adamShape>;
const denseWithoutDecay = [
  ({ rows, weightDecay }: AdamSettings) => rows === 'lazy' || weightDecay === 0,
  {
    path: ['weightDecay'] as PropertyKey[],
    message:
      "expected 0 with rows 'dense', since decay changes with every step of a row that no batch reads",
  },
] as const;
const denseMomentumEnds = [
  ({ rows, beta1, beta2 }: AdamSettings) => rows === 'lazy' || beta1 * beta1 < beta2,
  {
    path: ['beta1'] as PropertyKey[],
    message:
      "expected less than the root of beta2 with rows 'dense', else momentum moves a row ever faster",
  },
] as const;
const adamOptions = adamShape.refine(...denseWithoutDecay).refine(...denseMomentumEnds);
const adamwOptions = adamwShape.refine(...denseWithoutDecay).refine(...denseMomentumEnds);

/** An optimizer in a config: its name beside its options. */
export const optimizerConfig = z.discriminatedUnion('name', [
  sgdOptions.extend({ name: z.literal('sgd') }).refine(...nesterovHasMomentum),
  adagradOptions.extend({ name: z.literal('adagrad') }),
  adamShape
    .extend({ name: z.literal('adam') })
    .refine(...denseWithoutDecay)
    .refine(...denseMomentumEnds),
  adamwShape
    .extend({ name: z.literal('adamw') })
    .refine(...denseWithoutDecay)
    .refine(...denseMomentumEnds),
]);

/** An optimizer's name and settings; its state belongs to the run that uses it. */
export type Optimizer = Readonly<z.output<typeof optimizerConfig>>;

const neutral: NativeOptimizerSpec = {
  kind: 'sgd',
  learningRate: 1e-3,
  momentum: 0,
  nesterov: false,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  epsilonForm: 'torch',
  rows: 'lazy',
  weightDecay: 0,
  initialAccumulator: 0,
};

/** @internal What the native core needs to know of an optimizer. Throws ConfigError. */
export function nativeSpec(optimizer: Optimizer): NativeOptimizerSpec {
  // A strategy of a user's own may hold any object.
  const { name, ...settings } = parse(optimizerConfig, optimizer, 'optimizer');
  return { ...neutral, ...settings, kind: name };
}

/** Stochastic gradient descent in PyTorch's form. */
export function sgd(options: z.input<typeof sgdOptions> = {}): Optimizer {
  return { name: 'sgd', ...parse(sgdOptions.refine(...nesterovHasMomentum), options, 'sgd') };
}

/** Adagrad (Duchi et al. 2011). */
export function adagrad(options: z.input<typeof adagradOptions> = {}): Optimizer {
  return { name: 'adagrad', ...parse(adagradOptions, options, 'adagrad') };
}

/**
 * Adam (Kingma and Ba 2015). On tables it is lazy, a row's moments change when the row is touched; with rows
 * 'dense' they change in every step, at nearly the cost of the lazy form.
 */
export function adam(options: z.input<typeof adamOptions> = {}): Optimizer {
  return { name: 'adam', ...parse(adamOptions, options, 'adam') };
}

/** AdamW (Loshchilov and Hutter 2019): weight decay apart from the gradient. */
export function adamw(options: z.input<typeof adamwOptions> = {}): Optimizer {
  return { name: 'adamw', ...parse(adamwOptions, options, 'adamw') };
}
