import type { z } from 'zod';
import type { Vocabulary } from '../data/vocabulary.js';
import { ConfigError } from '../errors.js';
import { suggest } from '../nearest.js';
import type { trainingOptions } from './options.js';

/** Domains by index: which one decides, and their order when it is not drawn anew. */
export interface DomainChoice {
  readonly target: number | undefined;
  readonly order: Int32Array | undefined;
}

/** Domains by index instead of by name. Throws ConfigError. */
export function domainChoice(
  { target, domainOrder }: Pick<z.output<typeof trainingOptions>, 'target' | 'domainOrder'>,
  vocabulary: Vocabulary,
): DomainChoice {
  const { domains } = vocabulary.schema;
  const indexOf = (name: string, key: string): number => {
    if (vocabulary.hasDomain(name)) return vocabulary.domain(name);
    throw new ConfigError(`fit.${key}: '${name}'${suggest(name, domains)}`);
  };
  const chosen = target === undefined ? undefined : indexOf(target, 'target');
  if (domainOrder === 'shuffled') return { target: chosen, order: undefined };
  if (domainOrder === 'fixed') return { target: chosen, order: Int32Array.from(domains.keys()) };
  const order = domainOrder.map((name) => indexOf(name, 'domainOrder'));
  const given = new Set(chosen === undefined ? order : [...order, chosen]);
  if (given.size < domains.length || new Set(order).size < order.length) {
    throw new ConfigError(
      `fit.domainOrder: ${order.length} names; expected each of ${domains.length} domains once`,
    );
  }
  return { target: chosen, order: Int32Array.from(order) };
}
