import { z } from 'zod';
import { count, parse } from '../options.js';
import { maxSteps } from './alternate.js';
import { helpersFrom } from './helpers.js';
import type { Strategy } from './types.js';

export const pcgradOptions = z.strictObject({
  helpers: count
    .optional()
    .describe('Domains drawn beside each domain for a step; min(5, domains - 1) by default'),
  maxSteps,
});

const [sum, projected, firstGradient] = [1, 2, 10];

/**
 * PCGrad (Yu et al. 2020, algorithm 1) over groups of domains: for each domain, itself and a few
 * drawn ones; the gradient of each over its rows loses what conflicts with the others' (taken in
 * random order), and their sum makes one step of the run's optimizer.
 */
export function pcgrad(options: z.input<typeof pcgradOptions> = {}): Strategy {
  const settings = parse(pcgradOptions, options, 'pcgrad');
  return {
    name: 'pcgrad',
    options: settings,
    gradients: true,
    *epoch(context) {
      const { shuffle } = context;
      const draw = helpersFrom(context, settings.helpers);
      for (const domain of context.order()) {
        const group = [domain, ...draw(domain)];
        for (const [i, member] of group.entries()) {
          const target = firstGradient + i;
          yield { kind: 'bufferZero', target };
          yield {
            kind: 'run',
            mode: 'gradient',
            domain: member,
            target,
            rate: 1,
            ...(settings.maxSteps && { maxSteps: settings.maxSteps }),
          };
        }
        yield { kind: 'bufferZero', target: sum };
        for (let i = 0; i < group.length; i++) {
          yield { kind: 'bufferZero', target: projected };
          yield { kind: 'bufferAdd', target: projected, other: firstGradient + i, rate: 1 };
          for (const j of shuffle(group.length)) {
            if (j === i) continue;
            yield { kind: 'bufferProject', target: projected, other: firstGradient + j };
          }
          yield { kind: 'bufferAdd', target: sum, other: projected, rate: 1 };
        }
        yield { kind: 'bufferApply', target: sum };
      }
    },
  };
}
