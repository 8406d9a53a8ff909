import type { Command } from './types.js';

/** Trains each domain's own values by itself until its validation score stops rising by `rate`. */
export function* convergeEach(
  domains: Iterable<number>,
  limits: { readonly passes: number; readonly patience: number; readonly rate?: number },
): Generator<Command> {
  for (const domain of domains) {
    yield { kind: 'converge', domain, overlay: domain, other: 1, ...limits };
  }
}
