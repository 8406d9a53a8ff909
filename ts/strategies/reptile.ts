import { z } from 'zod';
import { sgd } from '../optim/optimizers.js';
import { parse, rate } from '../options.js';
import { maxSteps, pass } from './alternate.js';
import { outerMark, type Strategy } from './types.js';

export const reptileOptions = z.strictObject({
  outerRate: rate.default(0.1).describe('How far the parameters follow a domain'),
  batch: z
    .boolean()
    .default(false)
    .describe('Domains start from the same parameters, which follow the sum of their ways'),
  maxSteps,
});

const ways = 1;

/** Reptile (Nichol et al. 2018): the parameters follow each domain's pass by a small step. */
export function reptile(options: z.input<typeof reptileOptions> = {}): Strategy {
  const settings = parse(reptileOptions, options, 'reptile');
  const { outerRate, batch, maxSteps } = settings;
  return {
    name: 'reptile',
    options: settings,
    // The sum of the ways back is a gradient; the outer rate is the rate of its step.
    ...(batch && { optimizers: [sgd({ learningRate: outerRate })] }),
    *epoch({ domains, shuffle, optimizer }) {
      if (batch) yield { kind: 'bufferZero', target: ways };
      for (const domain of shuffle(domains)) {
        yield { kind: 'mark', target: outerMark };
        yield pass(domain, maxSteps);
        if (batch) {
          yield { kind: 'bufferAddChange', target: ways, other: outerMark, rate: 1 };
          yield { kind: 'restore', target: outerMark };
        } else {
          yield { kind: 'lerp', target: outerMark, rate: outerRate };
        }
        yield { kind: 'release', target: outerMark };
      }
      if (batch) yield { kind: 'bufferApply', target: ways, optimizer: optimizer(0) };
    },
  };
}
