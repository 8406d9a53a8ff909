import type { Command } from './types.js';

interface Limits {
  readonly passes: number;
  readonly patience: number;
  readonly rate?: number;
  readonly maxSteps?: number | undefined;
}

/** Trains the domain by itself until its validation score stops rising by `rate`. */
export function converge(domain: number, { maxSteps, ...limits }: Limits): Command {
  return { kind: 'converge', domain, other: 1, ...limits, ...(maxSteps && { maxSteps }) };
}

/** Trains each domain's own values. */
export function* convergeEach(domains: Iterable<number>, limits: Limits): Generator<Command> {
  for (const domain of domains) {
    yield { ...converge(domain, limits), overlay: domain };
  }
}
