import { ConfigError } from '../errors.js';
import type { NativeOptimizerSpec } from '../native/addon.js';
import type { Command, EpochContext, OverlayRule, Strategy } from './types.js';

/** Marks of the strategies; those of fit are negative. */
const outerMark = 1;
const innerMark = 2;

function requireRate(strategy: string, key: string, value: number): void {
  if (value > 0 && value <= 1) return;
  throw new ConfigError(`${strategy}: ${key} ${value}; expected a number in (0, 1]`);
}

/** One pass over each domain in a shuffled order: the papers' "alternate" baseline. */
export function alternate(): Strategy {
  return {
    name: 'alternate',
    options: {},
    *epoch({ domains, shuffle }) {
      for (const domain of shuffle(domains)) yield { kind: 'run', domain };
    },
  };
}

/** A model of its own for each domain: a fork of the start with fresh optimizer state. */
export function separate(): Strategy {
  return {
    name: 'separate',
    options: {},
    overlays: { combine: 'replace', start: 'neutral', specific: ['all'] },
    *epoch({ domains }) {
      for (let domain = 0; domain < domains; domain++) {
        yield { kind: 'resetOptimizer', optimizer: 0 };
        yield { kind: 'run', domain, overlay: domain };
      }
    },
  };
}

export interface NegotiationOptions {
  /** beta of MAMDR's equation 3: how far the shared parameters follow a round of passes. */
  readonly outerRate?: number;
  /** An optimizer over the pseudo-gradient instead of the plain outer rate. */
  readonly outerOptimizer?: NativeOptimizerSpec;
}

function* negotiate(
  { domains, shuffle, optimizer }: EpochContext,
  { outerRate, outerOptimizer }: NegotiationOptions,
): Generator<Command> {
  yield { kind: 'mark', target: outerMark };
  for (const domain of shuffle(domains)) yield { kind: 'run', domain };
  if (outerOptimizer) yield { kind: 'outerStep', target: outerMark, optimizer: optimizer(1) };
  else yield { kind: 'lerp', target: outerMark, rate: outerRate ?? 0.1 };
  yield { kind: 'release', target: outerMark };
}

/** Domain Negotiation (MAMDR, algorithm 1): an outer step towards where all domains' passes led. */
export function dn(options: NegotiationOptions = {}): Strategy {
  const { outerRate = 0.1, outerOptimizer } = options;
  requireRate('dn', 'outerRate', outerRate);
  return {
    name: 'dn',
    options: { outerRate, ...(outerOptimizer && { outerOptimizer }) },
    ...(outerOptimizer && { optimizers: [outerOptimizer] }),
    epoch: (context) => negotiate(context, { ...options, outerRate }),
  };
}

export interface RegularizationOptions {
  /** gamma of MAMDR's algorithm 2: how far specific parameters follow a helper and the target. */
  readonly regularizationRate?: number;
  /** k: helper domains drawn per domain; 5, or all others when there are fewer. */
  readonly helpers?: number;
  /** Whether the domain itself follows as a last helper, as in the public code. */
  readonly includeTarget?: boolean;
  /** Glob patterns of the parameters that have specific values. */
  readonly specific?: readonly string[];
  readonly combine?: 'plus' | 'times';
  readonly start?: 'neutral' | 'random';
}

function* regularize(
  { domains, shuffle }: EpochContext,
  {
    regularizationRate,
    helpers,
    includeTarget,
  }: {
    readonly regularizationRate: number;
    readonly helpers: number | undefined;
    readonly includeTarget: boolean;
  },
): Generator<Command> {
  const count = helpers ?? Math.min(5, domains - 1);
  if (count > domains - 1) {
    throw new ConfigError(
      `helpers ${count}; expected at most ${domains - 1} with ${domains} domains`,
    );
  }
  for (let domain = 0; domain < domains; domain++) {
    const others = [...shuffle(domains)].filter((other) => other !== domain).slice(0, count);
    for (const helper of includeTarget ? [...others, domain] : others) {
      yield { kind: 'mark', target: innerMark };
      yield { kind: 'run', domain: helper, overlay: domain };
      yield { kind: 'run', domain, overlay: domain };
      yield { kind: 'lerp', target: innerMark, rate: regularizationRate };
      yield { kind: 'release', target: innerMark };
    }
  }
}

function regularization(name: string, options: RegularizationOptions) {
  const {
    regularizationRate = 0.1,
    helpers,
    includeTarget = true,
    specific = ['all'],
    combine = 'plus',
    start = 'neutral',
  } = options;
  requireRate(name, 'regularizationRate', regularizationRate);
  if (helpers !== undefined && !(Number.isInteger(helpers) && helpers >= 1)) {
    throw new ConfigError(`${name}: helpers ${helpers}; expected an integer of 1 at least`);
  }
  const overlays: OverlayRule = { combine, start, specific };
  return {
    settings: { regularizationRate, helpers, includeTarget },
    options: {
      regularizationRate,
      ...(helpers && { helpers }),
      includeTarget,
      specific,
      combine,
      start,
    },
    overlays,
  };
}

/**
 * Domain Regularization (MAMDR, algorithm 2) beside alternate training of the shared parameters:
 * each domain's specific ones are trained on a helper, then on the domain, and follow by
 * regularizationRate.
 */
export function dr(options: RegularizationOptions = {}): Strategy {
  const rule = regularization('dr', options);
  return {
    name: 'dr',
    options: rule.options,
    overlays: rule.overlays,
    *epoch(context) {
      for (const domain of context.shuffle(context.domains)) yield { kind: 'run', domain };
      yield* regularize(context, rule.settings);
    },
  };
}

/** MAMDR (algorithm 3): Domain Negotiation of the shared, Domain Regularization of the specific. */
export function mamdr(options: NegotiationOptions & RegularizationOptions = {}): Strategy {
  const rule = regularization('mamdr', options);
  const negotiation = dn(options);
  return {
    name: 'mamdr',
    options: { ...negotiation.options, ...rule.options },
    overlays: rule.overlays,
    ...(negotiation.optimizers && { optimizers: negotiation.optimizers }),
    *epoch(context) {
      yield* negotiation.epoch(context);
      yield* regularize(context, rule.settings);
    },
  };
}
