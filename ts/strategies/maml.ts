import { z } from 'zod';
import { adam, optimizerConfig } from '../optim/optimizers.js';
import { parse, rate } from '../options.js';
import { capped, maxSteps, pass } from './alternate.js';
import { only, parameters } from './parameters.js';
import { type Command, type EpochContext, outerMark, type Strategy } from './types.js';

/** Keys of the strategies whose outer step takes a gradient of held-out rows. */
export const outerGradientShape = {
  batch: z.boolean().default(false).describe('One outer step per epoch, over all domains'),
  average: z
    .boolean()
    .default(false)
    .describe('Divides the summed gradient by domains and maxSteps, which it needs'),
  parameters,
  maxSteps,
};

/** A refinement of such options. */
export const averageHasSteps = [
  (options: { readonly average: boolean; readonly maxSteps?: number | undefined }) =>
    !options.average || options.maxSteps !== undefined,
  { path: ['average'] as PropertyKey[], message: 'expected maxSteps with it' },
] as const;

export const mamlOptions = z.strictObject({
  outerOptimizer: optimizerConfig.optional().describe('Adam with rate 1e-3 by default'),
  supportShare: rate
    .default(0.2)
    .describe('Share of the rows that adapts; the rest tells the outer gradient; 1: all do both'),
  ...outerGradientShape,
});

const total = 1;

/** Adds the gradients of a domain's query rows, or of all where all support, to a buffer. */
export function queryGradient(
  domain: number,
  target: number,
  {
    supportShare,
    maxSteps,
  }: { readonly supportShare: number; readonly maxSteps?: number | undefined },
): Command {
  const shareFrom = supportShare < 1 ? supportShare : 0;
  return { kind: 'run', mode: 'gradient', domain, target, rate: 1, shareFrom, ...capped(maxSteps) };
}

/** A step with the summed gradients of a domain, or of all, over the `parameters`. */
export function* outerGradientStep(
  context: EpochContext,
  target: number,
  { average, maxSteps, parameters }: z.output<z.ZodObject<typeof outerGradientShape>>,
): Generator<Command> {
  if (average) {
    yield { kind: 'bufferScale', target, rate: 1 / (context.domains * (maxSteps ?? 1)) };
  }
  const optimizer = context.optimizer(0);
  yield { kind: 'bufferApply', target, optimizer, ...only(context, parameters) };
}

/**
 * First-order MAML (Finn et al. 2017): for each domain a pass over its support rows, the gradients
 * of all query batches where that led, summed, and an outer step with them from where it began.
 */
export function maml(options: z.input<typeof mamlOptions> = {}): Strategy {
  const settings = parse(mamlOptions.refine(...averageHasSteps), options, 'maml');
  const { supportShare, batch, maxSteps } = settings;
  return {
    name: 'maml',
    options: settings,
    optimizers: [settings.outerOptimizer ?? adam({ learningRate: 1e-3 })],
    gradients: true,
    *epoch(context) {
      const moved = only(context, settings.parameters);
      if (batch) yield { kind: 'bufferZero', target: total };
      for (const domain of context.order()) {
        if (!batch) yield { kind: 'bufferZero', target: total };
        yield { kind: 'mark', target: outerMark };
        yield { ...pass(domain, maxSteps), shareTo: supportShare };
        yield queryGradient(domain, total, settings);
        yield { kind: 'restore', target: outerMark, ...moved };
        yield { kind: 'release', target: outerMark };
        if (!batch) yield* outerGradientStep(context, total, settings);
      }
      if (batch) yield* outerGradientStep(context, total, settings);
    },
  };
}
