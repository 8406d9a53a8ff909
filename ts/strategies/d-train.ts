import { z } from 'zod';
import { ConfigError } from '../errors.js';
import { optimizerConfig } from '../optim/optimizers.js';
import { count, parse } from '../options.js';
import { maxSteps } from './alternate.js';
import { converge } from './converge.js';
import { balancedPass } from './joint.js';
import type { EpochContext, StagedStrategy, Strategy } from './types.js';

const epochs = count.optional().describe('Epochs at most; those of the run by default');
const phase = z.boolean().default(true);

/** Options that a config adds its name to. */
export const dTrainShape = z.strictObject({
  preTrain: phase.describe('Phase 1: all domains train one slot of every bank'),
  postTrain: phase.describe('Phase 2: each domain trains its own slot, all of them the backbone'),
  fineTune: phase.describe('Phase 3: each domain trains its own head alone, by itself'),
  heads: z
    .array(z.string())
    .min(1)
    .optional()
    .describe(
      "Glob patterns of the parameters that are a domain's head; towers or the last layer by default",
    ),
  headStart: z
    .enum(['copy', 'random'])
    .default('copy')
    .describe('Heads after pre-training: copies of the pre-trained one, or as before it'),
  preTrainEpochs: epochs,
  postTrainEpochs: epochs,
  fineTuneEpochs: epochs,
  fineTuneOptimizer: optimizerConfig.optional().describe("The run's by default"),
  maxSteps,
});

/** Pre-training alone would leave a model whose domains have no heads. */
export const hasPhase = [
  (options: { readonly postTrain: boolean; readonly fineTune: boolean }) =>
    options.postTrain || options.fineTune,
  { path: ['fineTune'] as PropertyKey[], message: 'expected postTrain or fineTune' },
] as const;
export const dTrainOptions = dTrainShape.refine(...hasPhase);
type Settings = z.output<typeof dTrainOptions>;

/** The slot that all domains share while they are trained as one. */
const root = 0;

/** What pre-training leads to becomes each domain's own. */
function* split({ banks, domains, select }: EpochContext, headStart: Settings['headStart']) {
  if (headStart === 'random' && domains < 2) {
    throw new ConfigError("strategy.headStart: 'random'; expected 2 domains at least");
  }
  // The root slot alone was trained: any other is as before.
  const target = headStart === 'copy' ? root : root + 1;
  yield { kind: 'broadcast', target, selection: select(banks) } as const;
  yield { kind: 'slots' } as const;
}

/**
 * D-Train (AAAI 2024): pre-train one model on an equal share of every domain (equation 1), post-train
 * it with a head per domain (equations 2 and 3), fine-tune the head of each domain by itself while
 * everything else stays as it is. Without `preTrain` it is the paper's plug-in of MMoE, PLE and MoE.
 */
export function dTrain(options: z.input<typeof dTrainOptions> = {}): StagedStrategy {
  const settings = parse(dTrainOptions, options, 'd-train');
  const { headStart, maxSteps, fineTuneOptimizer } = settings;
  const limit = (epochs: number | undefined) => (epochs === undefined ? {} : { epochs });
  const preTrain: Strategy = {
    name: 'pre-train',
    options: settings,
    ...limit(settings.preTrainEpochs),
    *epoch({ epoch }) {
      if (epoch === 0) yield { kind: 'slots', target: root };
      yield balancedPass(maxSteps);
    },
  };
  const postTrain: Strategy = {
    name: 'post-train',
    options: settings,
    ...limit(settings.postTrainEpochs),
    *epoch(context) {
      if (settings.preTrain && context.epoch === 0) yield* split(context, headStart);
      yield balancedPass(maxSteps);
    },
  };
  const fineTune: Strategy = {
    name: 'fine-tune',
    options: settings,
    domainsStop: true,
    trained: 'heads',
    ...limit(settings.fineTuneEpochs),
    ...(fineTuneOptimizer && { optimizer: fineTuneOptimizer }),
    *epoch(context) {
      if (settings.preTrain && !settings.postTrain) yield* split(context, headStart);
      const { domains, epochs: passes, patience } = context;
      for (let domain = 0; domain < domains; domain++) {
        yield converge(domain, { passes, patience, maxSteps });
      }
    },
  };
  return {
    name: 'd-train',
    options: settings,
    heads: settings.heads ?? 'last',
    stages: [preTrain, postTrain, fineTune].filter(
      (_, i) => [settings.preTrain, settings.postTrain, settings.fineTune][i],
    ) as [Strategy, ...Strategy[]],
  };
}
